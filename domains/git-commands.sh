#!/usr/bin/env bash
# Turns a git history into commands for `git.yaml`, one JSON object a line:
#
#   git -c core.quotePath=false log --reverse --no-renames --first-parent -m \
#       --name-status --format='commit %H %cI' |
#     domains/git-commands.sh | esctl --domain domains/git.yaml send --batch -
#
# Each commit gives one `Record`, then one `Change` for each path it touched. Every command has an id made of the
# commit and the path: a history that is sent again, or once more when it has grown, is stored once.
#
# Paths that cannot name a stream are left out and listed on stderr: those that git puts in quotes, that are not
# UTF-8, that have control characters, or that are longer than 507 bytes. Needs jq 1.6 and awk; memory is constant.
set -euo pipefail

jq -nRr '
  # What no name of a stream may have. U+FFFD stands where a path was not UTF-8.
  def control: "[\u0001-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffd]";
  def nameless: startswith("\"") or test(control) or utf8bytelength > 507;
  # An id has 512 bytes at most: where the path is too long for that, its number in the commit stands for it.
  def id: "\(.sha):\(.path)" as $id | if $id | utf8bytelength > 512 then "\(.sha)#\(.change)" else $id end;

  foreach (inputs | select(. != "")) as $line ({ number: 0 };
    if $line | startswith("commit ") then
      ($line / " ") as [$_, $sha, $time] | { number: (.number + 1), $sha, $time, change: 0 }
    elif .number == 0 or ($line | test("^[AMTD]\t.") | not) then
      error("not a line of `git log --no-renames --name-status --format=\"commit %H %cI\"`: \($line)")
    else
      .change += 1 | .status = $line[:1] | .path = $line[2:]
    end;
    if .path == null then
      { stream: "commit/\(.sha)", command: "Record", data: { number, committed: .time }, id: .sha, time } | tojson
    elif .path | nameless then
      "left out: \(.path | gsub(control; "\ufffd"))"
    else
      { stream: "path/\(.path)", command: "Change", data: { status, commit: .sha }, id: id, time } | tojson
    end
  )' |
  awk '/^\{/ { print; next } { print > "/dev/stderr" }'

# Completion of esctl for bash, made by `esctl completions bash`.

_esctl() {
    local IFS=$' \t\n' tab=$'\t' word rest bare head tail kind value before which name i
    local words=() breaks=${COMP_WORDBREAKS//[^=:@]/}
    COMPREPLY=()

    # bash takes words apart at `=`, `:` and `@` too. What no space stands between is one word; the last one ends at the cursor.
    rest=${COMP_LINE:0:COMP_POINT}
    for ((i = 0; i <= COMP_CWORD; i++)); do
        bare=${rest#"${rest%%[![:space:]]*}"}
        word=${COMP_WORDS[i]}
        if ((i == COMP_CWORD)); then word=$bare; fi
        if ((i > 0)) && [[ $bare == "$rest" ]]; then
            words[${#words[@]} - 1]+=$word
        else
            words+=("$word")
        fi
        rest=${bare#"$word"}
    done
    word=${words[${#words[@]} - 1]}

    # What readline puts a completion in the place of: the end of the word, after the last `=` or `:`, or from the last `@` on.
    tail=$word
    if [[ $breaks && $word != [\"\']* ]]; then
        tail=${word##*["$breaks"]}
        if [[ $word == *@"$tail" ]]; then tail=@$tail; fi
    fi
    head=${word%"$tail"}

    local program=${words[0]/#\~\//$HOME/}
    type -P -- "$program" > /dev/null || program=esctl
    while IFS=$tab read -r kind value rest; do
        case $kind in
            w | p)
                [[ $value == "$head"* ]] || continue
                value=${value#"$head"}
                if [[ $tail != [\"\']* && $value == *[!A-Za-z0-9_./:=@,%+-]* ]]; then
                    printf -v value %q "$value"
                fi
                if [[ $kind == p ]]; then compopt -o nospace; fi
                COMPREPLY+=("$value")
                ;;
            f | d)
                # With something before the name readline would not take it for that of a file.
                before=${value#"$head"}
                if [[ ! $before ]]; then compopt -o filenames; fi
                if [[ $kind == d ]]; then which=-d; else which=-f; fi
                while IFS= read -r name; do
                    if [[ $before ]]; then
                        if [[ -d $name ]]; then
                            compopt -o nospace
                            name+=/
                        fi
                        if [[ $tail != [\"\']* ]]; then printf -v name %q "$name"; fi
                    fi
                    COMPREPLY+=("$before$name")
                done < <(compgen "$which" -- "${tail#"$before"}")
                ;;
        esac
    done < <("$program" complete bash "${words[@]}" 2> /dev/null)
}

complete -F _esctl esctl

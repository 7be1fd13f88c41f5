# Completion of esctl for fish, made by `esctl completions fish`.

function __esctl_complete
    set -l current (commandline -ct)
    for line in (command esctl complete fish (commandline -opc) "$current" 2> /dev/null)
        set -l parts (string split -m 1 \t -- $line)
        switch $parts[1]
            case w p
                echo $parts[2]
            case f
                for path in (__fish_complete_path (string sub -s (math (string length -- "$parts[2]") + 1) -- "$current"))
                    echo $parts[2]$path
                end
            case d
                for path in (__fish_complete_directories (string sub -s (math (string length -- "$parts[2]") + 1) -- "$current"))
                    echo $parts[2]$path
                end
        end
    end
end

complete -c esctl -e
complete -c esctl -f -a '(__esctl_complete)'

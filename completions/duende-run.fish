# SPDX-License-Identifier: Apache-2.0 OR MIT
# fish completion for duende-run

# Prints COMMAND and its arguments as far as they are typed, one word a line; fails while the words are still options.
function __duende_run_command
    set -l words (commandline -opc) (commandline -ct)
    set -l index 2
    while test $index -lt (count $words)
        switch $words[$index]
            case --
                set index (math $index + 1)
                break
            case --lock --memlock --children --method --expect --argv0 --reserve --oom-score-adj --user --stack-limit --lock-timeout --helper --config
                set index (math $index + 2)
            case '-?*'
                set index (math $index + 1)
                if string match -qr -- '^-[rnqvhV]*[luc]$' $words[(math $index - 1)]
                    set index (math $index + 1)
                end
            case '*'
                break
        end
    end
    # Behind the last word: that one is the argument of an option.
    test $index -le (count $words); or return 1
    if test $index -eq (count $words); and test "$words[-2]" != --
        string match -q -- '-*' "$words[-1]"; and return 1
    end
    printf '%s\n' $words[$index..-1]
end

function __duende_run_options
    not __duende_run_command >/dev/null
end

function __duende_run_complete_command
    set -l words (__duende_run_command); or return
    __fish_complete_subcommand --commandline $words
end

function __duende_run_is_status
    contains -- --status (commandline -opc)
end

function __duende_run_users
    set -l typed (string replace -r -- '^(--user=|-[rnqvhV]*u)' '' (commandline -ct))
    if string match -q -- '*:*' $typed
        string replace -r -- '^' (string split -m 1 : -- $typed)[1]: (__fish_complete_groups)
    else
        __fish_complete_users
    end
end

complete -c duende-run -f -n 'not __duende_run_is_status' -a '(__duende_run_complete_command)'
complete -c duende-run -f -n __duende_run_is_status -a '(__fish_complete_pids)'
complete -c duende-run -n __duende_run_options -s r -l required -d 'Do not run the command unless its memory is locked'
complete -c duende-run -n __duende_run_options -l lock -x -d 'How to lock' -a '
    full\t"everything is resident now, new mappings at once"
    startup\t"what is mapped at the start is resident"
    on-fault\t"pages are locked as they are touched"'
complete -c duende-run -n __duende_run_options -s l -l memlock -x -d 'RLIMIT_MEMLOCK, SOFT[:HARD]' -a unlimited
complete -c duende-run -n __duende_run_options -l children -x -d 'Which other processes to lock' -a '
    none\t"the command alone"
    forked\t"also the processes that it forks"
    all\t"also the programs that those execute"'
complete -c duende-run -n __duende_run_options -l method -x -d 'How the lock gets into the command' -a '
    auto\t"preload where possible, else inject"
    preload\t"a helper in LD_PRELOAD"
    inject\t"a short-lived tracer"'
complete -c duende-run -n __duende_run_options -l expect -x -d 'Program that the chain must end up as' -a '(__fish_complete_command)'
complete -c duende-run -n __duende_run_options -l argv0 -x -d 'argv[0] of the command'
complete -c duende-run -n __duende_run_options -l swap-device -d 'All that a daemon behind a swap device needs'
complete -c duende-run -n __duende_run_options -l reserve -x -d 'Memory that its allocator holds from the start'
complete -c duende-run -n __duende_run_options -l hold -d 'munlockall and the like do not undo the lock'
complete -c duende-run -n __duende_run_options -l realtime -d 'SCHED_FIFO'
complete -c duende-run -n '__duende_run_options; and string match -q -- "--rea*" (commandline -ct)' -a '--realtime=1 --realtime=off' -d 'SCHED_FIFO'
complete -c duende-run -n __duende_run_options -l io-flusher -d 'Allocations for the command do not wait for I/O'
complete -c duende-run -n __duende_run_options -l oom-score-adj -x -d 'OOM score adjustment' -a '-1000 0 1000'
complete -c duende-run -n __duende_run_options -s u -l user -x -d 'Run the command as this user' -a '(__duende_run_users)'
complete -c duende-run -n __duende_run_options -l stack-limit -x -d 'Soft RLIMIT_STACK' -a unlimited
complete -c duende-run -n __duende_run_options -l lock-timeout -x -d 'Seconds to establish the lock'
complete -c duende-run -n __duende_run_options -l helper -r -F -d 'Preloaded helper to use'
complete -c duende-run -n __duende_run_options -s c -l config -r -F -d 'Configuration file'
complete -c duende-run -n __duende_run_options -l no-config -d 'Read no configuration file'
complete -c duende-run -n __duende_run_options -s n -l dry-run -d 'Print the plan and stop'
complete -c duende-run -n __duende_run_options -l status -d 'Say whether running processes are locked'
complete -c duende-run -n __duende_run_options -l check -d 'Say whether locking would work here'
complete -c duende-run -n __duende_run_options -l json -d 'Machine-readable --dry-run, --status or --check'
complete -c duende-run -n __duende_run_options -l prometheus -d 'Metrics for node_exporter'
complete -c duende-run -n __duende_run_options -l advise -d 'Limits that suit the processes'
complete -c duende-run -n __duende_run_options -s q -l quiet -d 'No warnings'
complete -c duende-run -n __duende_run_options -s v -l verbose -d 'One line of proof on success'
complete -c duende-run -n __duende_run_options -s h -l help -d 'Print help and stop'
complete -c duende-run -n __duende_run_options -s V -l version -d 'Print the version and stop'

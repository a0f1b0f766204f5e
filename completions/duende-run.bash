# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck shell=bash
# shellcheck disable=SC2154 # cur, prev, words, cword, split: set by _init_completion
# bash completion for duende-run; needs the package bash-completion.

# Whether the next word is the argument of this option.
_duende_run_takes_argument() {
    case $1 in
        --lock | --memlock | --children | --method | --expect | --argv0 | --oom-score-adj) return 0 ;;
        --reserve | --user | --stack-limit | --lock-timeout | --helper | --config) return 0 ;;
        *) [[ $1 =~ ^-[rnqvhV]*[luc]$ ]] ;;
    esac
}

_duende_run_words() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

_duende_run_user() {
    if [[ $cur == *:* ]]; then
        mapfile -t COMPREPLY < <(compgen -P "${cur%%:*}:" -g -- "${cur#*:}")
        __ltrim_colon_completions "$cur"
    else
        mapfile -t COMPREPLY < <(compgen -u -- "$cur")
    fi
}

# _duende_run_argument OPTION: completes its argument.
_duende_run_argument() {
    case $1 in
        --lock) _duende_run_words 'full startup on-fault' ;;
        --children) _duende_run_words 'none forked all' ;;
        --method) _duende_run_words 'auto preload inject' ;;
        --memlock | --stack-limit | -*([!-])l) _duende_run_words unlimited ;;
        --realtime) _duende_run_words '1 off' ;;
        --oom-score-adj) _duende_run_words '-1000 0 1000' ;;
        --user | -*([!-])u) _duende_run_user ;;
        --expect) mapfile -t COMPREPLY < <(compgen -c -d -- "$cur") && compopt -o filenames ;;
        --helper) _filedir so ;;
        --config | -*([!-])c) _filedir ;;
    esac
}

# _duende_run_command INDEX: COMMAND is words[INDEX]; the rest is its own affair. COMP_WORDS, which _command_offset reads, is
# split at '=' and ':' as well.
_duende_run_command() {
    local index raw=0 word

    for ((index = 0; index < $1; index++)); do
        word=
        while [[ $word != "${words[index]}" && $raw -lt $COMP_CWORD ]]; do
            word+=${COMP_WORDS[raw++]}
        done
    done
    _command_offset "$raw"
}

# _duende_run_operand INDEX: the options end at words[INDEX]; what follows is COMMAND or, for --status, PIDs.
_duende_run_operand() {
    local index

    for ((index = 1; index < $1; index++)); do
        if [[ ${words[index]} == --status ]]; then
            _pids
            return
        fi
    done
    _duende_run_command "$1"
}

_duende_run() {
    local cur prev words cword split index

    _init_completion -s -n : || return
    for ((index = 1; index < cword; index++)); do
        if [[ ${words[index]} == -- ]]; then
            _duende_run_operand $((index + 1))
            return
        elif [[ ${words[index]} != -?* ]]; then
            _duende_run_operand "$index"
            return
        elif _duende_run_takes_argument "${words[index]}"; then
            index=$((index + 1))
        fi
    done
    if [[ $index -gt $cword || $split == true ]]; then
        _duende_run_argument "$prev"
    elif [[ $cur == -* ]]; then
        _duende_run_words '--required --lock= --memlock= --children= --method= --expect= --argv0= --swap-device --reserve= --hold --realtime --realtime= --io-flusher
            --oom-score-adj= --user= --stack-limit= --lock-timeout= --helper= --config= --no-config --dry-run --json --status --check
            --prometheus --advise --quiet --verbose --help --version'
        [[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace
    else
        _duende_run_operand "$cword"
    fi
} &&
    complete -F _duende_run duende-run

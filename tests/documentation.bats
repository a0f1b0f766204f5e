#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# Stale documentation fails: --help, the manual pages, the completions, README and the example configuration say the same, and
# the examples that they give are accepted by the launcher.
# shellcheck disable=SC2030,SC2031 # status, output: each test is a subshell
# shellcheck disable=SC2154,SC2016 # REPO, DUENDE, output, …: set by bats and helpers; $ within '…' is for other shells

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert
load helpers

MANUAL=man/duende-run.1
CONF_MANUAL=man/duende-run.conf.5
EXAMPLE_CONF=packaging/duende-run.conf

setup() {
    common_setup
    cd "$REPO" || return 1
}

lacking_mandoc() { lacking_commands mandoc; }

lacking_groff() { lacking_commands groff; }

lacking_bash_completion() { [[ -r /usr/share/bash-completion/bash_completion ]] || echo "not installed: bash-completion"; }

lacking_zsh() { lacking_commands zsh; }

lacking_fish() { lacking_commands fish; }

# --- what the texts name --------------------------------------------------------------------------------------------------

words_like() { grep -oE -- "$1" | sort -u; }

help_options() { "$DUENDE" --help | grep -E '^ {2,6}-' | words_like '(^|[ ,])--?[A-Za-z][a-z0-9-]*' | tr -d ' ,' | sort -u; }

# rendered FILE: a manual page as a reader sees it, without overstriking.
rendered() { mandoc -T utf8 -O width=200 "$1" | sed 's/.\x08//g'; }

# section NAME FILE: the lines of one section.
section() { rendered "$2" | awk -v name="$1" '/^[^ ]/ { inside = $0 == name } inside'; }

# The tags of OPTIONS: seven blanks, then the option.
manual_options() {
    section OPTIONS "$MANUAL" | grep -E '^ {7}-' | sed -E 's/([^ ]) {2,}[^ -].*/\1/' |
        words_like '(^|[ ,])--?[A-Za-z][a-z0-9-]*' | tr -d ' ,' | sort -u
}

# What `compgen` offers is the option itself; short ones complete nothing and are not offered.
bash_options() { bash_complete 'duende-run --' | sed 's/=.*//' | sort -u; }

zsh_options() { zsh_complete 'duende-run -' | sed 's/=.*//' | grep . | sort -u; }

fish_options() { fish_complete 'duende-run -' | cut -f1 | sed 's/=.*//' | sort -u; }

# key_is_known KEY [SECTION]: whether the launcher knows it in a configuration file, whatever it thinks of the value.
key_is_known() {
    printf '[%s]\n%s = 1\n' "${2:-duende-run}" "$1" >"$scratch/key.conf"
    run "$DUENDE" --config="$scratch/key.conf" --dry-run true
    [[ $output != *'unknown key'* ]]
}

# section_tags SECTION: the keys of duende-run.conf(5) that have a paragraph of their own.
section_tags() {
    rendered "$CONF_MANUAL" | tr '\302\240' '  ' | awk -v name="Section [$1]" '/^ ? ? ?[^ ]/ { inside = index($0, name) } inside' |
        sed -nE 's/^ {7}([a-z][a-z0-9_-]*) *=.*/\1/p' | sort -u
}

example_keys() { sed -nE 's/^#?([a-z][a-z0-9_-]*) = .*/\1/p' "$EXAMPLE_CONF" | sort -u; }

same_sets() {
    diff -u --label "$1" --label "$2" <(grep . <<<"$3") <(grep . <<<"$4") ||
        fail "only one of both knows these"
}

# --- the engines of the completions ---------------------------------------------------------------------------------------

# bash_complete LINE: what TAB at its end offers, by the shell's own readline-like splitting of words.
bash_complete() {
    DUENDE_LINE=$1 bash --norc -c '
        . /usr/share/bash-completion/bash_completion
        . completions/duende-run.bash
        compopt() { :; }
        COMP_LINE=$DUENDE_LINE COMP_POINT=${#DUENDE_LINE} COMP_TYPE=9 COMP_KEY=9
        # Readline splits at blanks and at the characters of COMP_WORDBREAKS.
        COMP_WORDS=() rest=$COMP_LINE
        while [[ $rest =~ ^[[:blank:]]*([=:]+|[^[:blank:]=:]+) ]]; do
            COMP_WORDS+=("${BASH_REMATCH[1]}")
            rest=${rest:${#BASH_REMATCH}}
        done
        [[ $COMP_LINE != *[[:blank:]] ]] || COMP_WORDS+=("")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _duende_run duende-run "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf "%s\n" "${COMPREPLY[@]}"
    ' 2>&1
}

# fish_complete LINE: fish can be asked.
fish_complete() {
    HOME=$scratch XDG_CONFIG_HOME=$scratch XDG_DATA_HOME=$scratch \
        fish -c 'source completions/duende-run.fish; complete -C $argv[1]' -- "$1"
}

# zsh_complete LINE: an interactive zsh on a terminal of its own types LINE and TAB; compadd reports what it is given.
zsh_complete() {
    local matches=$scratch/zsh

    : >"$matches"
    MATCHES=$matches KEYS=$1$'\t' timeout 60 zsh -f -c '
        zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell "fpath=($PWD/completions \$fpath); autoload -Uz compinit && compinit -D -u"
        zpty -w shell "
            report() {
                compadd() {
                    local -a found
                    if [[ \${argv[1,(i)(-|--)]} != *-(O|A|D)\\ * ]]; then
                        builtin compadd -A found \"\$@\"
                        (( \$#found )) && print -rl -- \$IPREFIX\${^found} >>\$MATCHES
                    fi
                    builtin compadd \"\$@\"
                }
                _main_complete
                print -r -- END-OF-MATCHES >>\$MATCHES
            }
            zle -C report complete-word report
            bindkey \"^I\" report
            print REA\"\"DY"
        while zpty -r shell line; do [[ $line != *READY* ]] || break; done
        zpty -w -n shell $KEYS
        for ((tries = 0; tries < 300; tries++)); do
            ! grep -q END-OF-MATCHES $MATCHES || break
            sleep 0.1
        done
        zpty -d shell
    ' >/dev/null 2>&1
    grep -v '^END-OF-MATCHES$' "$matches" | sort -u
}

# assert_completions SHELL: the same behaviour in all three.
assert_completions() {
    local complete=$1_complete line expected actual

    mkdir -p "$scratch/folder" && : >"$scratch/folder/only.conf"
    while IFS='|' read -r line expected; do
        actual=$("$complete" "${line//FOLDER/$scratch/folder}" | cut -f1 | sed -E 's/^(--[a-z0-9-]+=|-u)//; s|.*/||' | sort -u | paste -sd' ')
        # In bash the word under the cursor begins behind the colon.
        [[ $1 != bash ]] || expected=${expected#root:}
        assert_equal "$line| $actual" "$line| $expected"
    done <<'TABLE'
duende-run --lock=|full on-fault startup
duende-run --lock |full on-fault startup
duende-run --lock=o|on-fault
duende-run -r --children |all forked none
duende-run --method=|auto inject preload
duende-run --realtime=|1 off
duende-run --memlock |unlimited
duende-run -rl |unlimited
duende-run --stack-limit=|unlimited
duende-run -u roo|root
duende-run --user=roo|root
duende-run -u root:roo|root:root
duende-run -c FOLDER/|only.conf
duende-run --config=FOLDER/|only.conf
duende-run --dry|--dry-run
duende-run --expect=mkfif|mkfifo
duende-run mkfif|mkfifo
duende-run -r -- mkfif|mkfifo
duende-run -rl 8M mkfif|mkfifo
duende-run --lock=full --user root:root -q mkfif|mkfifo
duende-run -r cat FOLDER/|only.conf
duende-run -r -- cat FOLDER/|only.conf
duende-run cat --number-n|--number-nonblank
duende-run -r --argv0 x -- cat --number-n|--number-nonblank
duende-run --memlock=8M:8M -- cat --number-n|--number-nonblank
duende-run --che|--check
duende-run --check mkfif|mkfifo
duende-run --check -r -- cat --number-n|--number-nonblank
TABLE
    # COMMAND's options are not ours.
    refute [ -n "$("$complete" 'duende-run -- cat --child' | cut -f1)" ]
}

# --- options --------------------------------------------------------------------------------------------------------------

@test "every option of --help is in the manual page, and the other way round" {
    requires mandoc
    [[ $(help_options | wc -l) -gt 20 ]] || fail "options of --help: $(help_options)"
    same_sets --help "$MANUAL" "$(help_options)" "$(manual_options)"
}

@test "every option that a text names exists" {
    requires mandoc
    local option text

    for text in "$MANUAL" "$CONF_MANUAL"; do
        # Options of other programs stand behind their name.
        for option in $(rendered "$text" | sed -E 's/(docker|podman|losetup)( run)? --[^ ,.]*( memlock[^ ,.]*)?|--(cap-add|ulimit)[^ ,.]*//g' |
            words_like '--[a-z][a-z0-9-]+'); do
            help_options | grep -qxF -- "$option" || fail "$text: $option is not in --help"
        done
    done
    for option in $(grep -E '^ {4}|`' README.md | grep -E 'duende-run|`--' | sed -E 's/`docker run .*`//' | grep -oE '`--[a-z-]+' | tr -d '`'); do
        help_options | grep -qxF -- "$option" || fail "README.md: $option is not in --help"
    done
}

@test "the values that --help lists are those that the launcher accepts and the manual page names" {
    requires mandoc
    local option values value

    while read -r option values; do
        for value in $values; do
            run "$DUENDE" --dry-run --no-config "--$option=$value" true
            refute_output --partial 'is not valid'
            section OPTIONS "$MANUAL" | grep -A2 -E "^ {7}--$option=" | grep -qwF -- "$value" || fail "$MANUAL: --$option=$value"
            "$DUENDE" --help | grep -E -- "--$option=" | grep -qwF -- "$value" || fail "--help: --$option=$value"
        done
        run "$DUENDE" --dry-run --no-config "--$option=other" true
        assert_equal "$status" 125
    done <<'TABLE'
lock full startup on-fault
children none forked all
method auto preload inject
TABLE
}

@test "the exit statuses of --help and of the manual page are the same" {
    requires mandoc
    for status in 120 125 126 127; do
        "$DUENDE" --help | grep -qw "$status" || fail "--help: $status"
        section 'EXIT STATUS' "$MANUAL" | grep -qE "^ {7}$status " || fail "$MANUAL: $status"
    done
}

@test "version, manual page and changelog agree" {
    local version

    version=$("$DUENDE" --version | cut -d' ' -f2)
    grep -qF "\"duende-run $version\"" "$MANUAL" || fail "$MANUAL is not of version $version"
    grep -qF "## [$version]" CHANGELOG.md || fail "CHANGELOG.md has no version $version"
}

# --- manual pages ---------------------------------------------------------------------------------------------------------

@test "mandoc and groff find nothing wrong with the manual pages" {
    requires mandoc
    requires groff
    local page

    for page in man/*; do
        run mandoc -T lint "$page"
        assert_output ''
        # A request that does not begin its line is printed.
        run grep -nE '\.(B|I|BR|RB|IR|BI|RI) ' <(rendered "$page")
        assert_output ''
        run bash -c 'groff -ww -t -man -T utf8 "$1" >/dev/null' - "$page"
        assert_output ''
        assert_success
    done
}

@test "the manual page's decision table is what --dry-run decides" {
    requires root
    requires ipc_lock
    requires setpcap
    local unprivileged=(setpriv '--bounding-set=-ipc_lock,-sys_resource')

    # limit unlimited, any capability: only where it can be had
    if prlimit --memlock=unlimited true 2>/dev/null; then
        run prlimit --memlock=unlimited "${unprivileged[@]}" "$DUENDE" -n -r --no-config -- true
        assert_line --regexp '^verdict +would run locked$'
    fi
    # finite, ambient
    run setpriv --bounding-set=-sys_resource prlimit --memlock=8388608 "$DUENDE" -n -r --no-config --user=65534 -- true
    assert_line --regexp '^verdict +would run locked$'
    assert_line --regexp 'CAP_IPC_LOCK ambient$'
    # finite, root's
    run setpriv --bounding-set=-sys_resource prlimit --memlock=8388608 "$DUENDE" -r --no-config -- true
    assert_success
    assert_output --partial 'if COMMAND changes its user, its allocations will fail'
    # finite, not honoured: refused, or partly
    run prlimit --memlock=8388608 "${unprivileged[@]}" "$DUENDE" -n -r --no-config -- true
    assert_equal "$status" 120
    run prlimit --memlock=8388608 "${unprivileged[@]}" "$DUENDE" -n --no-config -- true
    assert_success
    assert_line --regexp '^verdict +would run, partly locked$'
    # a budget by name
    run prlimit --memlock=8388608 "${unprivileged[@]}" "$DUENDE" -n -r --memlock=8M --no-config -- true
    assert_success
    assert_line --regexp '^verdict +would run locked$'
    run prlimit --memlock=8388608 "${unprivileged[@]}" "$DUENDE" -n --memlock=8M --no-config -- true
    assert_line --regexp '^verdict +would run, partly locked$'
}

# --- configuration --------------------------------------------------------------------------------------------------------

@test "every option that is a configuration key is documented, and every documented key is one" {
    requires mandoc
    local option key documented

    documented=$(section_tags duende-run)
    for option in $(help_options | sed -n 's/^--//p') lock-memory; do
        key_is_known "$option" || continue
        grep -qxF -- "$option" <<<"$documented" || fail "$CONF_MANUAL: the key $option is missing"
        example_keys | grep -qxF -- "$option" || fail "$EXAMPLE_CONF: the key $option is missing"
    done
    [[ $(wc -l <<<"$documented") -gt 10 ]] || fail "keys of $CONF_MANUAL: $documented"
    for key in $documented; do
        key_is_known "$key" || fail "$CONF_MANUAL: $key is no key"
    done
    for key in $(section_tags resources); do
        key_is_known "$key" resources || fail "$CONF_MANUAL: $key is no key of [resources]"
    done
}

@test "the example configuration is accepted as it is, and with any one of its lines uncommented" {
    local line section=duende-run

    run "$DUENDE" --config="$EXAMPLE_CONF" --dry-run true
    assert_success
    while IFS= read -r line; do
        [[ $line != '#[resources]' ]] || section=resources
        [[ $line =~ ^#[a-z0-9_-]+\ =\  ]] || continue
        printf '[%s]\n%s\n' "$section" "${line#\#}" >"$scratch/line.conf"
        run "$DUENDE" --config="$scratch/line.conf" --dry-run true
        # A program that is named need not be installed here.
        refute_output --partial "$scratch/line.conf:"
    done <"$EXAMPLE_CONF"
}

# --- examples -------------------------------------------------------------------------------------------------------------

# accepted FILE OPTION...: the launcher understands the options of an example. COMMAND may not be installed here.
accepted() {
    local file=$1 argument options=()

    shift
    for argument; do
        argument=$(tr -d '",]' <<<"$argument")
        case $argument in
            --) break ;;
            -*) options+=("$argument") ;;
            *) break ;;
        esac
    done
    # Users and programs of an example need not exist here.
    options=("${options[@]/#--user=*/--user=0}")
    options=("${options[@]/#--expect=*/--expect=true}")
    case " ${options[*]} " in
        *' --status '*) run "$DUENDE" "${options[@]}" $$ ;;
        *' --check '*) run "$DUENDE" --no-config "${options[@]}" -- true ;;
        *) run "$DUENDE" --no-config "${options[@]}" --dry-run -- true ;;
    esac
    [[ $status -ne 125 ]] || fail "$file: duende-run $*: $output"
}

@test "the launcher accepts the options of every example in README and manual page" {
    requires mandoc
    local line words count=0

    rendered "$MANUAL" >"$scratch/manual"
    for file in README.md "$scratch/manual"; do
        while IFS= read -r line; do
            read -ra words <<<"${line//,/ }"
            accepted "$file" "${words[@]}"
            count=$((count + 1))
        done < <(examples "$file")
    done
    [[ $count -ge 12 ]] || fail "only $count examples were found"
}

# examples FILE: what follows `duende-run` in indented lines and in code spans of tables.
examples() {
    sed -nE -e '/^ {4}.*(^| |\/|")duende-run"?,? +"?--?[a-z]/s/.*(^| |\/|")duende-run"?,? +(.*)/\2/p' \
        -e '/^\|/s/.*`[^`]*"?duende-run"?,? +("?--?[a-z][^`]*)`.*/\1/p' "$1"
}

@test "README's commands and links are there" {
    local file

    while IFS= read -r file; do
        [[ -x $file ]] || fail "README.md: $file"
    done < <(grep -E '^    \./' README.md | words_like '\./[a-z./_-]+\.sh')
    while IFS= read -r file; do
        [[ -e $file ]] || fail "README.md: $file"
    done < <(words_like '\]\([^):#]+\)' <README.md | tr -d '()]')
}

# --- completions ----------------------------------------------------------------------------------------------------------

@test "every option of --help is in the completion for bash, and the other way round" {
    requires bash_completion
    same_sets --help bash "$(help_options | grep '^--')" "$(bash_options)"
}

@test "every option of --help is in the completion for zsh, and the other way round" {
    requires zsh
    same_sets --help zsh "$(help_options)" "$(zsh_options)"
}

@test "every option of --help is in the completion for fish, and the other way round" {
    requires fish
    same_sets --help fish "$(help_options)" "$(fish_options)"
}

@test "bash completes options, values, users, files, and COMMAND with its own arguments" {
    requires bash_completion
    assert_completions bash
}

@test "zsh completes options, values, users, files, and COMMAND with its own arguments" {
    requires zsh
    assert_completions zsh
}

@test "fish completes options, values, users, files, and COMMAND with its own arguments" {
    requires fish
    assert_completions fish
}

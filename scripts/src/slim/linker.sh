#!/bin/sh
# Stands before rustc's linker, which rustc has put on PATH. Of the exports that rustc asks for, as `--export NAME`, those of the
# classes in $UNMADE are not passed on: then what nobody else calls is not linked, nor the tables that name it.
last=
for argument; do
    shift
    if [ "$last" = --export ]; then
        wanted=yes
        for class in $UNMADE; do
            case $argument in *"$class"*) wanted= ;; esac
        done
        if [ "$wanted" ]; then
            set -- "$@" "--export=$argument"
        fi
    elif [ "$argument" != --export ]; then
        set -- "$@" "$argument"
    fi
    last=$argument
done
exec rust-lld "$@"

"""Becomes the command it is given, after asking the kernel to kill it when the process that started it dies.

Started as `python -I -S leash.py PARENT_PID COMMAND...`. A supervisor that is killed with -9 cannot clean up, so each
child carries its own end: PR_SET_PDEATHSIG (prctl(2)) survives execve(2). It is a program of its own rather than a
`preexec_fn` because Python code between fork and exec is unsafe in a process with threads. Elsewhere than on Linux it
only executes the command. Never: the children of the child, which do not inherit the signal; they are in its process
group and die with an orderly stop.
"""

import os
import sys

PR_SET_PDEATHSIG = 1
SIGKILL = 9


def die_with(parent: int) -> None:
    """Arms the signal; exits at once when the parent died before it was armed, for then it would never come."""
    import ctypes  # loaded only where the platform has prctl

    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(0)


def main(parent: int, command: list[str]) -> None:
    """Replaces this process by the command, or exits with 127 and a sentence as shells do."""
    if sys.platform == "linux":
        die_with(parent)
    try:
        os.execvp(command[0], command)  # noqa: S606 (no shell is wanted)
    except OSError as error:
        sys.exit(f"cannot start {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])

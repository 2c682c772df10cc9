"""Runs a command on some of the machine's cores and says how much of their time went to others meanwhile."""
import os
import subprocess
import time

MOST_OF_OTHERS = 0.05  # of the cores' time: above that a measurement is disturbed


def busy_seconds(cores):
    """What /proc/stat says of these cores: user, nice, system, interrupts, stolen by the machine's own host."""
    names = {f"cpu{c}" for c in cores}
    total = 0
    with open("/proc/stat") as stat:
        for words in map(str.split, stat):
            if words[0] in names:
                total += sum(int(words[i]) for i in (1, 2, 3, 6, 7, 8))
    return total / os.sysconf("SC_CLK_TCK")


def run(command, threads, environment=None):
    """(its output, None, share of the cores' time that others had), or (None, the last line of what it said, share)."""
    cores = sorted(os.sched_getaffinity(0))[:threads]
    before, start, own = busy_seconds(cores), time.monotonic(), os.times()
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          env=dict(os.environ, **(environment or {})), preexec_fn=lambda: os.sched_setaffinity(0, cores))
    after, elapsed, now = busy_seconds(cores), time.monotonic() - start, os.times()
    used = now.children_user + now.children_system - own.children_user - own.children_system
    others = max(0.0, after - before - used) / (elapsed * len(cores))
    if done.returncode == 0:
        return done.stdout, None, others
    said = done.stderr.strip().splitlines()
    return None, said[-1] if said else f"exit status {done.returncode}", others


def disturbed(others):
    return others > MOST_OF_OTHERS

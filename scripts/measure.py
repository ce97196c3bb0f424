#!/usr/bin/env python3
"""Measures commands against two PostgreSQL clusters, and writes the results as a table. Linux only.

measure.py run --name NAME --log FILE --source PIDFILE --target PIDFILE -- COMMAND [ARGUMENT...]
    Runs the command, appends one JSON line to FILE and exits with the command's code.

    wall_s            from start to end of the command
    client_cpu_s      user and system time of the command and of every process it waited for
    source_cpu_s,
    target_cpu_s      the same of a whole cluster: the postmaster, its living children, and the children it has reaped, whose
                      times the kernel adds to the postmaster's; nothing is lost with a session that ends
    client_peak_mib   highest sum of the proportional set sizes of the command's process tree, every 100 ms
    other_cores       CPU that everything else on the machine used, per second of wall: how noisy the run was

measure.py table FILE...
    Prints the medians per name as Markdown; the first column of ratios is against the name "floor".
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
SAMPLE_S = 0.1


def stat(pid):
    """(parent, own ticks, ticks of reaped children, resident bytes) of a process; None if it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            text = file.read()
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    own, reaped = int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
    return int(fields[1]), own, reaped, int(fields[21]) * PAGE


def processes():
    """Every process of the machine, by number."""
    found = ((int(name), stat(name)) for name in os.listdir("/proc") if name.isdigit())
    return {pid: seen for pid, seen in found if seen}


def cluster_seconds(postmaster):
    """CPU time of a cluster since it started."""
    seen = processes()
    if postmaster not in seen:
        sys.exit(f"measure.py: no process {postmaster}; is the cluster running?")
    family = [entry for pid, entry in seen.items() if pid == postmaster or entry[0] == postmaster]
    return sum(own + reaped for _, own, reaped, _ in family) / TICKS


def machine_seconds():
    """CPU time of the whole machine since it started, waiting not included."""
    with open("/proc/stat") as file:
        user, nice, system, _idle, _iowait, irq, softirq = (int(word) for word in file.readline().split()[1:8])
    return (user + nice + system + irq + softirq) / TICKS


def memory(pid, resident):
    """Proportional set size in bytes; the resident size where the kernel does not tell."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return resident


def tree_memory(root):
    """Memory of a process and everything below it."""
    seen = processes()
    children = {}
    for pid, entry in seen.items():
        children.setdefault(entry[0], []).append(pid)
    total, todo = 0, [root]
    while todo:
        pid = todo.pop()
        if pid in seen:
            total += memory(pid, seen[pid][3])
            todo += children.get(pid, [])
    return total


def watch(root, stop, peak):
    """Keeps the highest memory of a process tree in peak[0] until told to stop."""
    while not stop.wait(SAMPLE_S):
        peak[0] = max(peak[0], tree_memory(root))


def pid_in(path):
    with open(path) as file:
        return int(file.readline())


def run(options, command):
    source, target = pid_in(options["source"]), pid_in(options["target"])
    before = cluster_seconds(source), cluster_seconds(target), machine_seconds()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    stop, peak = threading.Event(), [0]
    began = time.monotonic()
    child = subprocess.Popen(command)
    watcher = threading.Thread(target=watch, args=(child.pid, stop, peak), daemon=True)
    watcher.start()
    code = child.wait()
    wall = time.monotonic() - began
    stop.set()
    watcher.join()
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    time.sleep(0.2)  # The last sessions are still ending.
    client = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    on_source, on_target = cluster_seconds(source) - before[0], cluster_seconds(target) - before[1]
    others = machine_seconds() - before[2] - client - on_source - on_target
    result = {
        "name": options["name"],
        "code": code,
        "wall_s": round(wall, 3),
        "client_cpu_s": round(client, 3),
        "source_cpu_s": round(on_source, 2),
        "target_cpu_s": round(on_target, 2),
        "client_peak_mib": round(peak[0] / 2**20, 1),
        "other_cores": round(max(0.0, others) / wall, 2),
    }
    with open(options["log"], "a") as log:
        log.write(json.dumps(result) + "\n")
    print(f"   {wall:8.2f} s", file=sys.stderr)
    return code if code >= 0 else 128 - code


def table(files):
    runs = {}
    for path in files:
        with open(path) as file:
            for line in file:
                entry = json.loads(line)
                if entry["code"] == 0:
                    runs.setdefault(entry["name"], []).append(entry)

    def middle(name, key):
        return statistics.median(entry[key] for entry in runs[name])

    print("| | runs | wall, s | × floor | client CPU, core-s | source CPU, core-s | target CPU, core-s | client peak, MiB | others, cores |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, entries in runs.items():
        walls = sorted(entry["wall_s"] for entry in entries)
        spread = f" ({walls[0]:.1f}–{walls[-1]:.1f})" if len(walls) > 1 else ""
        ratio = f"{middle(name, 'wall_s') / middle('floor', 'wall_s'):.2f}" if "floor" in runs else "–"
        cells = [f"{middle(name, key):.1f}" for key in ("client_cpu_s", "source_cpu_s", "target_cpu_s", "client_peak_mib")]
        others = f"{middle(name, 'other_cores'):.2f}"
        print(f"| {name} | {len(entries)} | {middle(name, 'wall_s'):.1f}{spread} | {ratio} | {' | '.join(cells)} | {others} |")
    return 0


def main(arguments):
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0
    if arguments[0] == "table" and len(arguments) > 1:
        return table(arguments[1:])
    if arguments[0] == "run" and "--" in arguments:
        split = arguments.index("--")
        words = arguments[1:split]
        options = {key.removeprefix("--"): value for key, value in zip(words[::2], words[1::2])}
        if set(options) == {"name", "log", "source", "target"} and arguments[split + 1 :]:
            return run(options, arguments[split + 1 :])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

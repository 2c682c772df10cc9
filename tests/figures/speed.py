#!/usr/bin/env python3
"""The figures of docs/cpu.md: int8 beside float32, every family, one and two threads, and beside the peers' shares.

Usage: speed.py LINNET [--isas] [--rounds N] [--runs N]
  LINNET    the tool, build/release/linnet
  --isas    every instruction set of this machine rather than the fastest: is int8 never slower than float32?
  --rounds  how often each is measured, all in turn; the median counts (default 5)
  --runs    inferences a measurement (default 60)

Float32 and int8 of one network run in turn, so that both meet the same machine. A share is of the ceiling that the same
threads reached right before and after, in the precision's own multiply-adds. The machine should be idle. Prints Markdown.
Exit status: 0 if int8 is nowhere slower than float32, 1 if it is.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

FAMILIES = {
    "V1": "mobilenet_v1",
    "V2": "mobilenet_v2",
    "V3-Large": "mobilenet_v3_large",
    "V3-Small": "mobilenet_v3_small",
    "V4-Conv-S": "mobilenet_v4_conv_small",
    "V4-Conv-M": "mobilenet_v4_conv_medium",
}
# Shares of one core's ceiling that others reached on an AMD Zen 5 server, batch 1, one thread: XNNPACK of 2025 (qs8),
# oneDNN 3.14 by a hand-written driver with fused post-operations.
PEERS_INT8 = {"V1": (0.60, 0.63), "V2": (0.38, 0.41), "V3-Large": (0.29, 0.35), "V3-Small": (0.21, 0.22)}
PRECISIONS = ("float32", "int8")


def bench(arguments, model, precision, threads, isa):
    environment = dict(os.environ, **({"LINNET_ISA": isa} if isa else {}))
    command = [arguments.linnet, "bench", "--model", model, "--precision", precision, "--threads", str(threads),
               "--runs", str(arguments.runs), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env=environment)
    return json.loads(done.stdout)


def isas(linnet):
    """What the tool says this CPU has, when it is asked for something that no CPU has."""
    done = subprocess.run([linnet, "bench", "--ceiling"], env=dict(os.environ, LINNET_ISA="none"), capture_output=True, text=True)
    return done.stderr.strip().rsplit("this CPU has ", 1)[1].split(", ")


def percent(share):
    return f"{100 * share:.1f} %" if share > 0 else "no such unit"


def main(arguments):
    slower = []
    print("| network | ISA | threads | float32 ms | share | int8 ms | share | int8 is faster | XNNPACK, oneDNN int8 share |")
    print("|---|---|--:|--:|--:|--:|--:|--:|--:|")
    for name, family in FAMILIES.items():
        for isa in isas(arguments.linnet) if arguments.isas else [None]:
            for threads in (1, 2):
                rounds = [{p: bench(arguments, family, p, threads, isa) for p in PRECISIONS} for _ in range(arguments.rounds)]
                median = {p: statistics.median(r[p]["median_ms"] for r in rounds) for p in PRECISIONS}
                share = {p: statistics.median(r[p]["share_of_ceiling"] for r in rounds) for p in PRECISIONS}
                ratio = statistics.median(r["float32"]["median_ms"] / r["int8"]["median_ms"] for r in rounds)
                used = rounds[0]["int8"]["isa"]
                peers = ", ".join(map(percent, PEERS_INT8[name])) if name in PEERS_INT8 and threads == 1 and not isa else ""
                print(f"| {name} | {used} | {threads} | {median['float32']:.2f} | {percent(share['float32'])} | "
                      f"{median['int8']:.2f} | {percent(share['int8'])} | {ratio:.2f}x | {peers} |", flush=True)
                if ratio < 1:
                    slower.append(f"{name}, {used}, {threads} threads: int8 takes {1 / ratio:.2f} times as long as float32")
    for line in slower:
        print(f"FAILED: {line}", file=sys.stderr)
    return 1 if slower else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("linnet")
    parser.add_argument("--isas", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=60)
    sys.exit(main(parser.parse_args()))

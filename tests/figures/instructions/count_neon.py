#!/usr/bin/env python3
"""Is int8 on NEON ever slower than float32? Counted in instructions under qemu, where there is no ARM machine to time.

Usage: count_neon.py QEMU PLUGIN PROGRAM [--all]
  QEMU     qemu-aarch64
  PLUGIN   count_instructions.c as a shared object
  PROGRAM  run_network.cpp, cross-compiled
  --all    every family; without it the quickest to emulate

Each figure is what one more inference adds, so nothing that happens once counts. Cortex-A72 has no dot product, Cortex-A76
does. Prints Markdown. Exit status: 0 if int8 takes fewer instructions everywhere, 1 if it does not.
"""
import re
import subprocess
import sys

QUICK = ["mobilenet_v2:width=0.35,resolution=64,classes=10", "mobilenet_v3_small:resolution=64,classes=10"]
ALL = ["mobilenet_v1:resolution=128", "mobilenet_v2:resolution=128", "mobilenet_v3_large:resolution=128",
       "mobilenet_v3_small:resolution=128", "mobilenet_v4_conv_small:resolution=128"]


def instructions(qemu, plugin, program, cpu, family, precision):
    def count(runs):
        done = subprocess.run([qemu, "-plugin", plugin, "-cpu", cpu, program, family, precision, str(runs)],
                              check=True, capture_output=True, text=True)
        return int(re.search(r"^instructions (\d+)$", done.stderr, re.M).group(1))
    return count(2) - count(1)


def main(qemu, plugin, program, families):
    slower = []
    print("| network | CPU | float32, million instructions | int8 | int8 takes |")
    print("|---|---|--:|--:|--:|")
    for family in families:
        for cpu in ("cortex-a72", "cortex-a76"):
            real, int8 = (instructions(qemu, plugin, program, cpu, family, p) for p in ("float32", "int8"))
            print(f"| `{family}` | {cpu} | {real / 1e6:.1f} | {int8 / 1e6:.1f} | {int8 / real:.2f} |", flush=True)
            if int8 > real:
                slower.append(f"{family} on {cpu}: int8 takes {int8} instructions, float32 {real}")
    for line in slower:
        print(f"FAILED: {line}", file=sys.stderr)
    return 1 if slower else 0


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:4], ALL if "--all" in sys.argv else QUICK))

#!/usr/bin/env python3
"""linnet train under mpirun, end to end: train_mpi.py LINNET MPIRUN LIBDIR. On pictures that it makes itself."""
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

LINNET = pathlib.Path(sys.argv[1])
MPIRUN = sys.argv[2]
LIBRARIES = sys.argv[3]
SKIPPED = 77


def write_pictures(folder):
    """Three classes of colours that fade in some direction, the class's colour least. Pictures that differ much: in
    noise, batch norm makes much of little, and of rounding."""
    chance = random.Random(1)
    for label in range(3):
        for i in range(24):
            fades = [[chance.uniform(-3, 3), chance.uniform(-3, 3), chance.uniform(60, 200)] for _ in range(3)]
            fades[label][2] /= 2
            values = bytearray()
            for pixel in range(32 * 32):
                down, right = divmod(pixel, 32)
                values += bytes(int(min(255, max(0, c + a * (down - 16) + b * (right - 16)))) for a, b, c in fades)
            path = folder / "abc"[label] / f"{i}.ppm"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"P6 32 32 255\n" + bytes(values))


MODEL = ("--model", "mobilenet_v3_small:width=0.35,resolution=32")


def command(ranks, data, out, *more, linnet=LINNET, threads=1, batch=12, model=MODEL):
    mpirun = [MPIRUN, "-np", str(ranks), "--oversubscribe"] if ranks > 1 else []
    return [*mpirun, str(linnet), "train", *model, "--data", str(data),
            "--out", str(out), "--batch-size", str(batch), "--hold-out", "12", "--lr", "0.01", "--threads",
            str(threads), "--json", *more]


def environment():
    return {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def run(arguments, code=0):
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120, env=environment())
    check(done.returncode == code, f"exit code {done.returncode}, not {code}: {' '.join(arguments)}\n{done.stderr}")
    return done


def check(holds, what):
    if not holds:
        sys.exit(what)


def losses(out):
    return [json.loads(line)["loss"] for line in (out / "metrics.jsonl").read_text().splitlines()]


def the_loss_path_is_that_of_one_process(data, work, *flags, model=MODEL):
    """Within 16 times as far as other threads take one process, which only sum in another order. (The network's
    activations are smooth: at the kink of a ReLU6 rounding decides a gradient, and two paths soon part.)"""
    work.mkdir()
    one = {}
    for threads in (1, 2, 3):
        run(command(1, data, work / f"one{threads}", *flags, threads=threads, model=model))
        one[threads] = losses(work / f"one{threads}")
    result = json.loads(run(command(2, data, work / "joint", *flags, model=model)).stdout)
    check(result["images"] == 60 and result["epochs"] == 4, f"another run's result: {result}")
    two, apart = losses(work / "joint"), 0.0
    for epoch, loss in enumerate(one[1]):
        apart = max(apart, *(abs(one[threads][epoch] - loss) for threads in (2, 3)))
        distance = abs(two[epoch] - loss)
        print(f"epoch {epoch + 1}: loss {loss:.7f}; two processes {distance:.1e} off, other threads {apart:.1e}")
        check(distance <= 16 * apart + 1e-7, "two processes are further off than rounding explains")


def rank_of(mpirun, rank):
    """The process that is this rank of a job, None before it is there."""
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            variables = (folder / "environ").read_bytes().split(b"\0")
        except (OSError, ValueError, IndexError):
            continue
        if parent == mpirun and f"OMPI_COMM_WORLD_RANK={rank}".encode() in variables:
            return int(folder.name)
    return None


def a_dead_rank_ends_the_job_and_it_goes_on(data, work):
    flags = ("--epochs", "60", "--checkpoint-every", "0.05", "--resume")
    run(command(2, data, work / "whole", *flags))
    for rank in (1, 0):
        out = work / f"killed{rank}"
        job = subprocess.Popen(command(2, data, out, *flags), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, env=environment())
        checkpoint = out / "checkpoint" / "last.safetensors"
        start = time.monotonic()
        while not checkpoint.exists() and job.poll() is None and time.monotonic() < start + 30:
            time.sleep(0.01)
        time.sleep(0.1)
        victim = rank_of(job.pid, rank)
        check(victim is not None, f"rank {rank} is not to be found: {job.poll()}")
        os.kill(victim, signal.SIGKILL)
        start = time.monotonic()
        try:
            _, said = job.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            job.kill()
            sys.exit(f"rank {rank} is dead, and the others hang")
        print(f"rank {rank} killed: over after {time.monotonic() - start:.1f} s, code {job.returncode}:\n{said}")
        check(job.returncode != 0, "a dead rank is no success")
        check(f"process rank {rank}" in said, "mpirun does not say who died")
        check("the same command with --resume goes on" in said, "it does not say how to go on")
        if rank > 0:
            check("another rank ended" in said, "rank 0 does not say why it ends")
        run(command(2, data, out, *flags))
        for name in ("model.safetensors", "model.int8.safetensors"):
            check((out / name).read_bytes() == (work / "whole" / name).read_bytes(), f"{name}: other bits")


def what_cannot_be_is_said_once(data, work):
    said = run(command(2, data, work / "bad", batch=9), code=2).stderr
    check(said.count("--batch-size 9 cannot be shared out evenly by 2 processes") == 1, said)


def mpi_is_loaded_where_it_is_installed(data, work):
    (work / "bin").mkdir()
    alone = work / "bin" / "linnet"
    shutil.copy(LINNET, alone)
    said = run(command(2, data, work / "bad", linnet=alone), code=1).stderr
    check(said.count("built without MPI; install libopenmpi-dev") == 1, said)
    run(command(1, data, work / "one", "--epochs", "1", linnet=alone))
    (work / LIBRARIES / "linnet").mkdir(parents=True)
    shutil.copy(LINNET.parent / "linnet_mpi.so", work / LIBRARIES / "linnet")
    run(command(2, data, work / "two", "--epochs", "1", linnet=alone))


def main():
    if not shutil.which(MPIRUN) or not (LINNET.parent / "linnet_mpi.so").exists():
        print("skipped: this build has no MPI; install libopenmpi-dev and openmpi-bin, and configure again")
        sys.exit(SKIPPED)
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        data = work / "pictures"
        write_pictures(data)
        flags = ("--sync-batch-norm", "--epochs", "4", "--dropout", "0.1", "--mixup", "0.2")
        the_loss_path_is_that_of_one_process(data, work / "trained", *flags)
        trained = ("--init", str(work / "trained" / "joint" / "model.safetensors"), "--freeze", "2")
        the_loss_path_is_that_of_one_process(data, work / "tuned", *flags, model=trained)
        a_dead_rank_ends_the_job_and_it_goes_on(data, work)
        what_cannot_be_is_said_once(data, work)
        mpi_is_loaded_where_it_is_installed(data, work)


main()

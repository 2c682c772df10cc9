#!/usr/bin/env bash
# package_test.sh BUILD_FOLDER COMPILER: installs Linnet into an empty folder, builds the example and its twin with the ONNX
# reader against it, runs the example, and reads what each is linked with.
set -euo pipefail
source_dir=$(cd "$(dirname "$0")/../.." && pwd)
build=$1
export CXX=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
  echo "FAILED: $1" >&2
  exit 1
}

cmake --install "$build" --prefix "$scratch/prefix" >"$scratch/install.log" || fail "the installation: $(tail -n 3 "$scratch/install.log")"
# build_against_installation SOURCE_FOLDER NAME
build_against_installation() {
  cmake -G Ninja -S "$1" -B "$scratch/$2" -D CMAKE_PREFIX_PATH="$scratch/prefix" -D CMAKE_BUILD_TYPE=Release &&
    cmake --build "$scratch/$2"
}
build_against_installation "$source_dir/examples/label_a_photo" label_a_photo
build_against_installation "$source_dir/tests/package/onnx_too" onnx_too

"$scratch/prefix/bin/linnet" convert mobilenet_v1:width=0.25,resolution=32,classes=4 "$scratch/tiny.safetensors"
"$scratch/label_a_photo/label_a_photo" "$scratch/tiny.safetensors" "$source_dir/tests/data/pictures/rgb_420.jpg" >"$scratch/labels"
cat "$scratch/labels"
[ "$(grep -c '%' "$scratch/labels")" -eq 3 ] || fail "the example does not print three labels"

# What inference needs: the C++ runtime, fmt, and the picture decoders with what they stand on.
allowed='linux-vdso|ld-linux[^ ]*|libc|libm|libstdc\+\+|libgcc_s|libpthread|libfmt|libjpeg|libspng|libwebp|libsharpyuv|libz|libpng16'
libraries() { ldd "$1" | awk '{print $1}' | sed 's|.*/||'; }
libraries "$scratch/label_a_photo/label_a_photo" | sort
others=$(libraries "$scratch/label_a_photo/label_a_photo" | grep -vE "^($allowed)(\.so.*|\.[0-9].*)?$" || true)
[ -z "$others" ] || fail "the example links more than inference needs: $others"

# The same list must catch a reader: otherwise it proves nothing.
libraries "$scratch/onnx_too/onnx_too" | grep -q '^libprotobuf-lite' || fail "a program with the ONNX reader does not link protobuf"
echo "the example links only what inference needs"

# What Linnet needs from Debian 12 or Ubuntu 24.04, and how to get it. Sourced by demo and check.

# To build the library and the tool.
build_packages=(
  g++ cmake ninja-build pkg-config
  libfmt-dev nlohmann-json3-dev libcli11-dev
  libjpeg-dev libspng-dev libwebp-dev
  libzip-dev libprotobuf-dev protobuf-compiler libflatbuffers-dev flatbuffers-compiler
  libcurl4-openssl-dev libssl-dev libarchive-dev
)

# To build and run the tests as well.
test_packages=(
  libgtest-dev libgmock-dev libcpp-httplib-dev python3
  libopenmpi-dev openmpi-bin
  clang-19 libclang-rt-19-dev llvm-19
)
# What `./check --long` compares with.
oracle_packages=(python3-torch python3-torchvision python3-pil python3-numpy)
command -v npm >/dev/null || oracle_packages+=(nodejs npm)

# The NEON kernels are tested through emulation where this is not an ARM machine.
if [ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ]; then
  test_packages+=(g++-aarch64-linux-gnu qemu-user)
fi

# install_packages NAME... installs those that are missing: as root, or through sudo; else it says what to type.
install_packages() {
  local name missing=()
  for name in "$@"; do
    dpkg-query --show --showformat='${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed || missing+=("$name")
  done
  [ ${#missing[@]} -eq 0 ] && return 0

  if ! command -v apt-get >/dev/null; then
    echo "This is not Debian or Ubuntu. Please install what these packages hold, then run this again:" >&2
    echo "  ${missing[*]}" >&2
    return 1
  fi
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo)
    if ! command -v sudo >/dev/null || { ! sudo -n true 2>/dev/null && ! [ -t 0 ]; }; then
      echo "Packages are missing, and installing them takes root. Please run this line, then start again:" >&2
      echo "  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
      return 1
    fi
  fi
  echo "Installing: ${missing[*]}"
  local log
  log=$(mktemp)
  if "${as_root[@]}" apt-get update >"$log" 2>&1 &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
    rm -f "$log"
  else
    tail -n 20 "$log" >&2
    echo "apt-get failed; the whole log is in $log" >&2
    return 1
  fi
}

# build PRESET [TARGET...] configures and builds; quiet unless something goes wrong.
build() {
  local preset=$1 log
  shift
  log=$(mktemp)
  if cmake --preset "$preset" >"$log" 2>&1 && cmake --build --preset "$preset" ${1:+--target "$@"} >>"$log" 2>&1; then
    rm -f "$log"
  else
    grep -E -A 5 'error|Error|FAILED' "$log" | head -n 60 >&2
    echo "The $preset build failed; the whole log is in $log" >&2
    return 1
  fi
}

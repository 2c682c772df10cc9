// write_tflite_corpus FOLDER: writes the seeds of fuzz_tflite.
#include <cstdio>
#include <span>

#include "base/file.h"
#include "formats/tflite/corpus.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: write_tflite_corpus FOLDER\n", stderr);
    return 2;
  }
  for (const auto& [name, bytes] : linnet::formats::tflite_corpus()) {
    const std::span<const std::byte> part = bytes;
    if (const auto written = linnet::write_file(std::filesystem::path(argv[1]) / name, std::span(&part, 1));
        !written) {
      std::fprintf(stderr, "%s\n", written.error().message.c_str());
      return 1;
    }
  }
}

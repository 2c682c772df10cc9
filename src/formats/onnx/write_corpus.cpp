// write_onnx_corpus FOLDER: writes the seeds of fuzz_onnx.
#include <cstdio>

#include "base/file.h"
#include "formats/onnx/corpus.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: write_onnx_corpus FOLDER\n", stderr);
    return 2;
  }
  for (const auto& [name, bytes] : linnet::formats::onnx_corpus())
    if (const auto written = linnet::write_file(std::filesystem::path(argv[1]) / name, bytes); !written) {
      std::fprintf(stderr, "%s\n", written.error().message.c_str());
      return 1;
    }
}

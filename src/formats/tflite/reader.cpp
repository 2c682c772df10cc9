#include "formats/tflite/reader.h"

#include "base/file.h"
#include "formats/tflite/metadata.h"
#include "formats/tflite/model_file.h"
#include "formats/tflite/translate.h"

namespace linnet::formats {
namespace {

Result<Graph> read(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, std::string name,
                   std::string stem) {
  LINNET_TRY(tflite::ModelFile file, tflite::ModelFile::open(bytes, std::move(owner), std::move(name)));
  LINNET_TRY(Graph graph, tflite::translate(file));
  LINNET_TRY(tflite::Metadata metadata, tflite::read_metadata(file));
  graph.labels = std::move(metadata.labels);
  if (!graph.preprocessing) graph.preprocessing = metadata.preprocessing;
  LINNET_CHECK(validate(graph));
  graph.name = std::move(stem);
  return graph;
}

}  // namespace

Result<Graph> read_tflite(const std::filesystem::path& path) {
  LINNET_TRY(const MappedFile file, MappedFile::open(path));
  return read(file.bytes(), file.owner(), path.string(), path.stem().string());
}

Result<Graph> read_tflite(std::span<const std::byte> bytes, std::string_view name) {
  auto copy = std::make_shared<const AlignedVector<std::byte>>(bytes.begin(), bytes.end());
  const std::span<const std::byte> view = *copy;
  return read(view, std::move(copy), std::string(name), std::string(name));
}

}  // namespace linnet::formats

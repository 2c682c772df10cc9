#include "formats/tflite/metadata.h"

#include <cmath>
#include <cstring>

#include "base/utf8.h"
#include "formats/zip/zip_archive.h"
#include "tflite_metadata_schema_generated.h"

namespace linnet::formats::tflite {
namespace {

namespace meta = tflite_metadata_schema;

constexpr flatbuffers::uoffset_t kMaxDepth = 16;
constexpr flatbuffers::uoffset_t kMaxTables = 1000;
constexpr std::size_t kMaxLabelBytes = 4 << 20;  // ImageNet-21k's labels are 0.5 MB

/// The text of a member of the zip archive that is appended to the model.
Result<std::string> appended_file(const ModelFile& file, const std::string& member) {
  const auto absent = [&](std::string_view why) {
    return fail("{}: its metadata names the label file \"{}\", but {}; fetch the file again", file.name(),
                member, why);
  };
  const auto archive = ZipArchive::open(file.bytes());
  if (!archive) return absent("no archive is appended to it: " + archive.error().message);
  const std::optional<ZipEntry> entry = archive->find(member);
  if (!entry) return absent("the appended archive does not hold it");
  if (entry->size > kMaxLabelBytes)
    return absent(fmt::format("that is {} bytes long, more than any list of labels", entry->size));
  std::string text(entry->size, '\0');
  if (const auto read = archive->read(*entry, std::as_writable_bytes(std::span(text))); !read)
    return absent(read.error().message);
  return text;
}

std::vector<std::string> lines(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    out.emplace_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  while (!out.empty() && out.back().empty()) out.pop_back();
  return out;
}

/// One value for all channels, or one a channel; in units of the pixel's 0 … 255 as TFLite means them.
Result<std::array<float, 3>> per_channel(const ModelFile& file, std::string_view what,
                                         const flatbuffers::Vector<float>* values) {
  if (!values || (values->size() != 1 && values->size() != 3))
    return fail("{}: its metadata gives {} values of {}; expected 1 or 3", file.name(),
                values ? values->size() : 0, what);
  std::array<float, 3> out;
  for (std::uint32_t c = 0; c < 3; ++c) {
    out[c] = values->Get(values->size() == 1 ? 0 : c) / 255.0f;
    if (!std::isfinite(out[c])) return fail("{}: its metadata gives {} as {}", file.name(), out[c], what);
  }
  return out;
}

Result<Preprocessing> normalisation(const ModelFile& file, const meta::NormalizationOptions& options) {
  Preprocessing p = tensorflow_preprocessing();
  LINNET_TRY(p.mean, per_channel(file, "mean", options.mean()));
  LINNET_TRY(p.deviation, per_channel(file, "deviation", options.std()));
  for (const float deviation : p.deviation)
    if (!(deviation > 0))
      return fail(
          "{}: its metadata gives a deviation of {}, expected one above 0; export the model without metadata "
          "and say it with --std",
          file.name(), deviation);
  return p;
}

const meta::TensorMetadata* first(
    const flatbuffers::Vector<flatbuffers::Offset<meta::TensorMetadata>>* tensors) {
  return tensors && tensors->size() > 0 ? tensors->Get(0) : nullptr;
}

/// The bytes of the buffer that holds the metadata; empty where there is none.
Result<std::span<const std::byte>> metadata_bytes(const ModelFile& file) {
  const auto* entries = file.model().metadata();
  for (std::uint32_t i = 0; entries && i < entries->size(); ++i)
    if (const auto* name = entries->Get(i)->name(); name && name->string_view() == "TFLITE_METADATA")
      return file.buffer(entries->Get(i)->buffer());
  return std::span<const std::byte>{};
}

}  // namespace

Result<Metadata> read_metadata(const ModelFile& file) {
  Metadata result;
  const auto found = metadata_bytes(file);
  if (!found) return fail("{}: metadata: {}", file.name(), found.error().message);
  if (found->empty()) return result;
  // A copy of its own stands on the alignment that the verifier assumes.
  const AlignedVector<std::byte> bytes(found->begin(), found->end());
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  flatbuffers::Verifier::Options limits;
  limits.max_depth = kMaxDepth;
  limits.max_tables = kMaxTables;
  flatbuffers::Verifier verifier(data, bytes.size(), limits);
  if (bytes.size() < 16 || !meta::VerifyModelMetadataBuffer(verifier))
    return fail("{}: its metadata is damaged; fetch the file again, or export it without metadata",
                file.name());
  const auto* graphs = meta::GetModelMetadata(data)->subgraph_metadata();
  if (!graphs || graphs->size() == 0) return result;

  if (const auto* input = first(graphs->Get(0)->input_tensor_metadata()); input && input->process_units())
    for (const meta::ProcessUnit* unit : *input->process_units())
      if (const auto* options = unit->options_as_NormalizationOptions()) {
        LINNET_TRY(result.preprocessing, normalisation(file, *options));
      }
  if (const auto* output = first(graphs->Get(0)->output_tensor_metadata());
      output && output->associated_files())
    for (const meta::AssociatedFile* associated : *output->associated_files()) {
      // Further label files are translations.
      if (associated->type() != meta::AssociatedFileType::TENSOR_AXIS_LABELS || !associated->name() ||
          !result.labels.empty())
        continue;
      LINNET_TRY(const std::string text, appended_file(file, associated->name()->str()));
      if (!is_utf8(text))
        return fail("{}: its label file \"{}\" is not UTF-8 text", file.name(), associated->name()->str());
      result.labels = lines(text);
    }
  return result;
}

}  // namespace linnet::formats::tflite

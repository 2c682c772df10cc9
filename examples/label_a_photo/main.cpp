// Labels one photograph: ./label_a_photo MODEL PHOTO
#include <cstdio>

#include <linnet/linnet.h>

int main(int argc, char** argv) {
  if (argc != 3) return std::puts("usage: label_a_photo MODEL PHOTO"), 2;
  auto model = linnet::Model::load(argv[1]);
  if (!model) return std::fprintf(stderr, "%s\n", model.error().message.c_str()), 1;

  const auto result = model->classify(argv[2], 3);
  if (!result) return std::fprintf(stderr, "%s\n", result.error().message.c_str()), 1;

  for (const auto& [index, label, probability] : result->predictions)
    std::printf("%5.1f %%  %s\n", 100 * probability, label.c_str());
  std::printf("%.1f ms\n", result->timings.total());
  return 0;
}

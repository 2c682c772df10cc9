// The verbs that this build has, in the order in which --help lists them.
#include "verb.h"

namespace linnet::cli {

void add_verbs(CLI::App& app, Action& action) {
  add_models(app, action);
  add_info(app, action);
  add_classify(app, action);
  add_eval(app, action);
  add_bench(app, action);
  add_plan(app, action);
  add_convert(app, action);
  add_compare(app, action);
  add_quantize(app, action);
  add_train(app, action);
#ifdef LINNET_HAS_HUB
  add_pull(app, action);
#endif
}

}  // namespace linnet::cli

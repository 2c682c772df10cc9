// graph may include base, which stands below it: this compiles.
#include "base/shape.h"
#include "graph/graph.h"

// graph may not include reference, which stands above it: this does not compile.
#include "reference/interpreter.h"

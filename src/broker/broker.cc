// Wires the broker's parts together.
#include "tidegate/base/ids.h"

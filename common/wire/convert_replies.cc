#include "common/wire/convert.h"

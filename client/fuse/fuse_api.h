// libfuse's low-level API, at the one version that the bridge is written for. Only client/fuse
// includes this.
#pragma once

#define FUSE_USE_VERSION 318
#include <fuse_lowlevel.h>

#include "irc_kernels.h"

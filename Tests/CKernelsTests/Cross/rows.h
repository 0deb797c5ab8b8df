// Comparisons of the kernels over rows; see rows.c.
#include "irc_kernels.h"

// How many differ, of all sets together. The first set is the portable one.
int rows_that_differ(const irc_kernels *const *sets, size_t count, size_t times);

/* extras.h - what newer kernels have and we use, but never demand */
#ifndef MASTER_EXTRAS_H
#define MASTER_EXTRAS_H
#include <stdbool.h>

/* extras_memfd_secret - memory that the kernel itself does not read (5.14,
 * where it is switched on) */
bool extras_memfd_secret(void);

/* extras_lacking - those that this kernel lacks, as words with commas, or
 * "nothing"; in static memory */
const char *extras_lacking(void);
#endif

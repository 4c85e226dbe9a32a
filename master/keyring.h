/* keyring.h - key, certificate and CA files: opened, checked, read once */
#ifndef MASTER_KEYRING_H
#define MASTER_KEYRING_H
#include "common/err.h"
#include "master/context.h"

#define KEYRING_FILE_MAX (96u << 20)

/*
 * keyring_read - a certificate or CA file, whole; data is allocated with a NUL
 * behind len. Regular files only, O_NOFOLLOW is not used (links are how
 * renewers work). Uses CAP_DAC_READ_SEARCH around open(2) when it is there.
 * keyring_free releases it.
 * ERR_FILE: why names path and errno or rule.
 */
enum err keyring_read(const char *path, struct blob *out, struct why *why);
void keyring_free(struct blob *blob);

/*
 * keyring_open_key - a private key file, opened and never read here.
 * Checks with fstat: regular, not empty, not readable or writable by others,
 * group-readable only for root's group or one of the master's, owner root or
 * the daemon's uid. ERR_FILE: "KEY is readable by everybody (mode 0644); chmod
 * 600 KEY". When EACCES: says what would make it readable (ownership, groups =,
 * unsafe_reader).
 */
enum err keyring_open_key(const char *path, int *fd, struct why *why);
#endif

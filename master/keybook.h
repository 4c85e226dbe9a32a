/* keybook.h - which key answers for which service, and the answer */
#ifndef MASTER_KEYBOOK_H
#define MASTER_KEYBOOK_H
#include "common/err.h"
#include "common/keywire.h"
#include "master/keeper.h"
#include <stddef.h>
#include <stdint.h>

struct keybook;

/* keybook_files - how many different files keys[] names */
size_t keybook_files(const struct keeper_key *keys, size_t count);

/* keybook_load - read every file once (keyfile_read). keys stay borrowed. */
enum err keybook_load(const struct keeper_key *keys, size_t count,
                      struct keybook **out, struct why *why);
void keybook_free(struct keybook *book);

/* keybook_public - the public key of keys[i] */
void keybook_public(const struct keybook *book, size_t i, const uint8_t **der,
                    size_t *len);

/* keybook_budget, keybook_name - of a service; 0 and NULL when there is none */
uint32_t keybook_budget(const struct keybook *book, uint16_t service);
const char *keybook_name(const struct keybook *book, uint16_t service);

/*
 * keybook_answer - what a worker of that service gets for a packet
 * request of len bytes as received, nothing checked yet.
 * NULL: *reply is to be sent, *reply_len bytes (KEYWIRE_FAILED too: the
 * signature could not be made). Else the reason to close the pair.
 */
const char *keybook_answer(const struct keybook *book, uint16_t service,
                           const struct keywire_request *request, size_t len,
                           struct keywire_reply *reply, size_t *reply_len);
#endif

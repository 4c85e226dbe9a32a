/* bans.h - sources whose connection crashed a worker, refused for a while */
#ifndef COMMON_BANS_H
#define COMMON_BANS_H
#include "common/err.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define BANS_MAX 256
#define BANS_MS  (10 * 60 * 1000)

/*
 * A memfd page: the master writes it, workers map it read-only before they
 * serve, and F_SEAL_FUTURE_WRITE keeps it so for good: fork without exec
 * shares the address layout, so a source gets no second guess, and the check
 * must stand before the first byte is parsed, without a round trip.
 */
struct bans;

/* bans_new - once; the master's writable view; fd inside is kept for workers */
enum err bans_new(struct bans **out, struct why *why);
/* bans_add - refuse addr (16 bytes, IPv4 mapped) until until_ms; the entry that
 * ends first makes room when the table is full */
void bans_add(struct bans *bans, const uint8_t addr[16], int64_t until_ms);
/* bans_read_only - swap this process's view for a read-only one, close its
 * descriptor */
enum err bans_read_only(struct bans *bans, struct why *why);
/* bans_has - is this source refused now? unix sockets never
 * are: their address is all zero */
bool bans_has(const struct bans *bans, const uint8_t addr[16], int64_t now_ms);
/* bans_fd - for a keep list, -1 after bans_read_only */
int bans_fd(const struct bans *bans);
#endif

/* keeper_main.h - inside a keeper, and what it and the master say to each
 * other */
#ifndef MASTER_KEEPER_MAIN_H
#define MASTER_KEEPER_MAIN_H
#include "master/jail.h"
#include "master/keeper.h"
#include "master/keyfile.h"
#include <stddef.h>
#include <stdint.h>

/*
 * The control pair, SOCK_SEQPACKET:
 *
 *   keeper: KEY (once per key, in order) ... READY    or at any point FAILED
 *   master: WORKER (with descriptors, one for each worker) ...
 *           closed: end after the last worker
 */
enum keeper_word { KEEPER_KEY = 1, KEEPER_READY, KEEPER_FAILED, KEEPER_WORKER };

struct keeper_packet {
    uint8_t word;     /* enum keeper_word */
    uint8_t value;    /* READY: secret memory? FAILED: enum err */
    uint16_t service; /* WORKER */
    uint16_t len;     /* of data; the packet is exactly this long */
    /* KEY: SubjectPublicKeyInfo; FAILED: a sentence */
    uint8_t data[KEYFILE_PUBLIC_MAX];
};
#define KEEPER_PACKET_HEAD offsetof(struct keeper_packet, data)

struct keeper_brief {
    const struct keeper_key *keys; /* with open descriptors */
    size_t key_count;
    int control;
    int charges; /* keeper.h */
    struct jail jail;
};

/* keeper_main - in the forked child: confine, load, serve, end */
_Noreturn void keeper_main(const struct keeper_brief *brief);
#endif

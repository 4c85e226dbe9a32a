/*
 * keeper.c - the master's view: fork, hear the public keys, hand out workers
 *
 * Owns the keepers' pids and control pairs. Runs in the master: never sees a
 * byte of a private key, and believes a keeper no length.
 */
#include "master/keeper.h"
#include "common/clock.h"
#include "common/fdio.h"
#include "common/mem.h"
#include "master/keeper_main.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS 10000

struct public_key {
    uint8_t *der;
    size_t len;
};

struct one {
    pid_t pid; /* 0: ended */
    int control;
};

struct keepers {
    size_t count;
    size_t *next; /* whose turn it is; no child's business */
    size_t key_count;
    struct public_key
        *keys; /* as the first keeper said; the others must agree */
    bool secret;
    struct one one[];
};

/* --- start --- */

static enum err
fork_one(struct one *one, const struct keeper_brief *like, struct why *why)
{
    struct keeper_brief brief = *like;
    int pair[2];
    enum err err = fdio_pair(pair, why);

    if (err != ERR_OK)
        return err;
    one->pid = fork();
    if (one->pid == 0) {
        brief.control = pair[1];
        keeper_main(&brief);
    }
    close(pair[1]);
    if (one->pid < 0) {
        close(pair[0]);
        one->pid = 0;
        return why_errno(why, ERR_SYS, "cannot fork a keeper");
    }
    one->control = pair[0];
    return ERR_OK;
}

/* hear - one packet before the deadline */
static enum err
hear(int control, int64_t deadline, struct keeper_packet *packet,
     struct why *why)
{
    struct pollfd wait = { .fd = control, .events = POLLIN };
    size_t len = sizeof(*packet);
    enum err err;
    int ready;

    do {
        ready = poll(&wait, 1, clock_left(deadline));
    } while (ready < 0 && errno == EINTR);
    if (ready == 0)
        return why_set(why, ERR_SYS, "a keeper was not ready within %d s",
                       START_MS / 1000);
    err = fdio_recv(control, packet, &len, NULL, NULL, MSG_DONTWAIT, NULL);
    if (err != ERR_OK)
        return why_set(why, ERR_SYS, "a keeper ended before it was ready");
    if (len < KEEPER_PACKET_HEAD || len != KEEPER_PACKET_HEAD + packet->len)
        return why_set(why, ERR_SYS, "a keeper sent a broken packet");
    return ERR_OK;
}

/* failed - a keeper's own words */
static enum err
failed(const struct keeper_packet *packet, struct why *why)
{
    enum err err = packet->value == ERR_OK ? ERR_SYS : (enum err)packet->value;

    return why_set(why, err, "%.*s", (int)packet->len,
                   (const char *)packet->data);
}

/* note_key - keep the first keeper's word, compare the others' with it */
static enum err
note_key(struct public_key *key, const struct keeper_packet *packet,
         struct why *why)
{
    if (key->der == NULL) {
        key->len = packet->len;
        key->der = mem_new(packet->len + 1u);
        memcpy(key->der, packet->data, packet->len);
        return ERR_OK;
    }
    if (key->len == packet->len &&
        memcmp(key->der, packet->data, packet->len) == 0)
        return ERR_OK;
    return why_set(why, ERR_FILE, "a key file changed while it was read");
}

static enum err
gather(struct keepers *keepers, const struct one *one, int64_t deadline,
       struct why *why)
{
    struct keeper_packet packet;
    size_t seen = 0;
    enum err err;

    while ((err = hear(one->control, deadline, &packet, why)) == ERR_OK) {
        if (packet.word == KEEPER_FAILED)
            return failed(&packet, why);
        if (packet.word == KEEPER_READY && seen == keepers->key_count) {
            keepers->secret = packet.value != 0;
            return ERR_OK;
        }
        if (packet.word != KEEPER_KEY || seen == keepers->key_count)
            return why_set(why, ERR_SYS, "a keeper sent a broken packet");
        err = note_key(&keepers->keys[seen++], &packet, why);
        if (err != ERR_OK)
            return err;
    }
    return err;
}

/* patience - the master hands out workers without waiting long for a stuck
 * keeper */
static void
patience(int control)
{
    struct timeval limit = { .tv_sec = 1 };

    setsockopt(control, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static enum err
start_all(struct keepers *keepers, const struct keeper_brief *brief,
          struct why *why)
{
    int64_t deadline = clock_deadline(START_MS);
    enum err err = ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < keepers->count; i++)
        err = fork_one(&keepers->one[i], brief, why);
    for (size_t i = 0; err == ERR_OK && i < keepers->count; i++) {
        err = gather(keepers, &keepers->one[i], deadline, why);
        patience(keepers->one[i].control);
    }
    return err;
}

static void
kill_all(struct keepers *keepers)
{
    for (size_t i = 0; i < keepers->count; i++) {
        if (keepers->one[i].pid <= 0)
            continue;
        kill(keepers->one[i].pid, SIGKILL);
        while (waitpid(keepers->one[i].pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
}

enum err
keepers_start(size_t count, const struct keeper_key *keys, size_t key_count,
              const struct jail *jail, int charges, struct keepers **out,
              struct why *why)
{
    struct keepers *keepers =
        mem_new(sizeof(*keepers) + count * sizeof(keepers->one[0]));
    struct keeper_brief brief = {
        .keys = keys, .key_count = key_count, .charges = charges, .jail = *jail
    };
    enum err err;

    keepers->count = count;
    keepers->next = mem_own(sizeof(*keepers->next));
    keepers->key_count = key_count;
    keepers->keys = mem_new((key_count + 1) * sizeof(keepers->keys[0]));
    for (size_t i = 0; i < count; i++)
        keepers->one[i].control = -1;
    err = start_all(keepers, &brief, why);
    if (err != ERR_OK) {
        kill_all(keepers);
        keepers_free(keepers);
        return err;
    }
    *out = keepers;
    return ERR_OK;
}

/* --- afterwards --- */

void
keepers_public(const struct keepers *keepers, size_t i, const uint8_t **der,
               size_t *len)
{
    *der = keepers->keys[i].der;
    *len = keepers->keys[i].len;
}

/* hand_over - pairs to the next keeper that takes them */
static enum err
hand_over(struct keepers *keepers, uint16_t service, const int *fds,
          size_t count, struct why *why)
{
    struct keeper_packet packet = { .word = KEEPER_WORKER, .service = service };

    for (size_t tried = 0; tried < keepers->count; tried++) {
        struct one *one = &keepers->one[*keepers->next];

        *keepers->next = (*keepers->next + 1) % keepers->count;
        if (one->control >= 0 &&
            fdio_send_all(one->control, &packet, KEEPER_PACKET_HEAD, fds, count,
                          0, why) == ERR_OK)
            return ERR_OK;
    }
    return why_set(why, ERR_EOF, "no keeper answers");
}

enum err
keepers_register(struct keepers *keepers, uint16_t service, const int *fds,
                 size_t count, struct why *why)
{
    size_t share = (count + keepers->count - 1) / keepers->count;
    enum err err = ERR_OK;

    if (share > FDIO_FDS_MAX)
        share = FDIO_FDS_MAX;
    for (size_t i = 0; err == ERR_OK && i < count; i += share)
        err = hand_over(keepers, service, fds + i,
                        count - i < share ? count - i : share, why);
    return err;
}

bool
keepers_lost(struct keepers *keepers, pid_t pid)
{
    for (size_t i = 0; i < keepers->count; i++) {
        if (pid <= 0 || keepers->one[i].pid != pid)
            continue;
        keepers->one[i].pid = 0;
        fdio_close(&keepers->one[i].control);
        return true;
    }
    return false;
}

const char *
keepers_memory(const struct keepers *keepers)
{
    return keepers->secret ? "memfd_secret" : "locked";
}

void
keepers_free(struct keepers *keepers)
{
    if (keepers == NULL)
        return;
    for (size_t i = 0; i < keepers->count; i++)
        fdio_close(&keepers->one[i].control);
    for (size_t i = 0; i < keepers->key_count; i++)
        free(keepers->keys[i].der);
    free(keepers->keys);
    mem_own_free(keepers->next);
    free(keepers);
}

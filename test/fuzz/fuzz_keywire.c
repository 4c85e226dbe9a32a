/*
 * fuzz_keywire.c - any packet at all to a keeper, and any answer to a worker
 *
 * Input: one byte service, the rest is the packet. The keeper's table holds an
 * EC and an Ed25519 key, so that requests by the rules reach the library.
 */
#include "common/keywire.h"
#include "master/keybook.h"
#include "master/keyfile.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* heads of keys in DER, whose secret is the number 1, 2, 3... */
static const uint8_t ec_head[] = { 0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20 };
static const uint8_t ec_tail[] = { 0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                   0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
static const uint8_t ed_head[] = { 0x30, 0x2e, 0x02, 0x01, 0x00, 0x30,
                                   0x05, 0x06, 0x03, 0x2b, 0x65, 0x70,
                                   0x04, 0x22, 0x04, 0x20 };

static int
file_of(const uint8_t *head, size_t head_len, const uint8_t *tail,
        size_t tail_len)
{
    uint8_t secret[32];
    int fd = memfd_create("key", MFD_CLOEXEC);

    for (size_t i = 0; i < sizeof(secret); i++)
        secret[i] = (uint8_t)(i + 1);
    if (fd < 0 || write(fd, head, head_len) != (ssize_t)head_len ||
        write(fd, secret, sizeof(secret)) != (ssize_t)sizeof(secret) ||
        (tail_len > 0 && write(fd, tail, tail_len) != (ssize_t)tail_len))
        abort();
    return fd;
}

static struct keybook *
make_book(void)
{
    static struct keeper_key keys[2] = {
        { .service = 1,
          .side = KEYWIRE_CLIENT_SIDE,
          .path = "ec",
          .name = "one" },
        { .service = 2,
          .side = KEYWIRE_UPSTREAM_SIDE,
          .path = "ed",
          .name = "two" },
    };
    struct keybook *book;
    struct why why;

    keys[0].fd = file_of(ec_head, sizeof(ec_head), ec_tail, sizeof(ec_tail));
    keys[1].fd = file_of(ed_head, sizeof(ed_head), NULL, 0);
    if (keyfile_start(&why) != ERR_OK ||
        keybook_load(keys, 2, &book, &why) != ERR_OK)
        abort();
    return book;
}

static void
must(int true_thing)
{
    if (!true_thing)
        abort();
}

/* unsignable - the library makes no ECDSA signature of a digest of zeros */
static int
unsignable(const struct keywire_request *request)
{
    if (request->alg != KEYWIRE_ECDSA)
        return 0;
    for (size_t i = 0; i < request->len; i++)
        if (request->data[i] != 0)
            return 0;
    return 1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct keybook *book;
    struct keywire_request request;
    struct keywire_reply reply;
    size_t reply_len = 0;
    const char *reason;

    if (book == NULL)
        book = make_book();
    if (len < 1 || len - 1 > sizeof(request))
        return 0;
    memset(&request, 0xee,
           sizeof(request)); /* what a shorter packet leaves behind */
    memcpy(&request, data + 1, len - 1);
    reason =
        keybook_answer(book, data[0], &request, len - 1, &reply, &reply_len);
    if (reason == NULL) {
        must(keywire_request_ok(&request, len - 1));
        must(keywire_reply_ok(&reply, reply_len));
        must(reply.status == KEYWIRE_OK || unsignable(&request));
        must((data[0] == 1 && request.side == KEYWIRE_CLIENT_SIDE) ||
             (data[0] == 2 && request.side == KEYWIRE_UPSTREAM_SIDE));
    }
    memset(&reply, 0xee, sizeof(reply));
    memcpy(&reply, data, len < sizeof(reply) ? len : sizeof(reply));
    if (keywire_reply_ok(&reply, len))
        must(reply.len <= KEYWIRE_SIG_MAX && len <= sizeof(reply));
    return 0;
}

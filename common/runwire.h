/* runwire.h - what a worker may ask of the runner, byte by byte */
#ifndef COMMON_RUNWIRE_H
#define COMMON_RUNWIRE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Over the worker's own SOCK_SEQPACKET pair. The runner knows from the pair
 * which program of which service and generation is meant: a worker names none.
 * What it says of its client goes into the program's environment, and is
 * therefore checked here once more by who receives it.
 *
 *   worker: RUN --------------------> ... CLOSE
 *   runner:      STARTED or FAILED ... ENDED (only before CLOSE)
 *
 * One program at a time: a RUN before the CLOSE of the one before, or anything
 * else that runwire_request_ok does not like, closes the pair. A pair that
 * closes is a CLOSE.
 */
enum runwire_kind {
    RUNWIRE_RUN = 1, /* start it */
    RUNWIRE_CLOSE,   /* the session of `seq` is over; ignored when its program
                      * has ended */
};

/* RUNWIRE_FIELDS(enumerator, form, longest) */
#define RUNWIRE_FIELDS_ALL(FIELD) \
    FIELD(REMOTE_IP, IP, 45)      \
    FIELD(REMOTE_PORT, PORT, 5)   \
    FIELD(LOCAL_IP, IP, 45)       \
    FIELD(LOCAL_PORT, PORT, 5)    \
    FIELD(TLS, WORD, 8)           \
    FIELD(CIPHER, WORD, 64)       \
    FIELD(GROUP, WORD, 64)        \
    FIELD(ALPN, TEXT, 255)        \
    FIELD(SNI, TEXT, 255)         \
    FIELD(SUBJECT, TEXT, 511)     \
    FIELD(ISSUER, TEXT, 511)      \
    FIELD(CN, TEXT, 127)          \
    FIELD(SERIAL, HEX, 40)        \
    FIELD(SANS, TEXT, 511)        \
    FIELD(SHA256, HEX, 64)        \
    FIELD(NOT_AFTER, WORD, 20)

enum runwire_field {
#define FIELD(id, form, longest) RUNWIRE_##id,
    RUNWIRE_FIELDS_ALL(FIELD)
#undef FIELD
        RUNWIRE_FIELDS
};

/* no field is longer, and all together are not */
#define RUNWIRE_TEXT_MAX 2816

struct runwire_request {
    uint8_t kind; /* enum runwire_kind */
    uint8_t pad[3];
    uint32_t seq; /* of this session; comes back in every reply about it */
    uint16_t len[RUNWIRE_FIELDS]; /* RUN: of each field; 0: there is none */
    char text[RUNWIRE_TEXT_MAX];  /* RUN: the fields, no byte between them; the
                                   * packet ends with the last one */
};
#define RUNWIRE_HEAD offsetof(struct runwire_request, text)

enum runwire_answer {
    RUNWIRE_STARTED = 1, /* a descriptor comes along: our end of its 0 and 1 */
    RUNWIRE_FAILED,      /* value is errno, step says of what */
    RUNWIRE_ENDED,       /* value is its wait status */
};

enum runwire_step {
    RUNWIRE_PROCESS = 1, /* there could be no process */
    RUNWIRE_LIMIT,       /* setrlimit(2) */
    RUNWIRE_DIR,         /* exec_dir */
    RUNWIRE_EXEC,        /* execve(2) */
    RUNWIRE_TOO_MANY,    /* programs of this service that have not ended */
};

struct runwire_reply {
    uint8_t kind; /* enum runwire_answer */
    uint8_t step; /* enum runwire_step */
    uint8_t pad[2];
    uint32_t seq;
    int32_t value;
};

/*
 * runwire_field_ok - may these bytes be that field? TEXT is printable ASCII (who
 * sends it has escaped the rest), the other forms are narrower: IP of hex
 * digits, dots and colons, PORT a number from 1 to 65535, HEX, WORD of letters,
 * digits and - _ . : +
 */
bool runwire_field_ok(enum runwire_field field, const char *text, size_t len);

/* runwire_begin, runwire_add - compose a RUN: fields in order, each at most
 * once. What the receiver would refuse is cut, or left out: an empty field.
 * Returns the length of the packet so far. */
size_t runwire_begin(struct runwire_request *request, uint32_t seq);
size_t runwire_add(struct runwire_request *request, enum runwire_field field,
                   const char *text);

/* runwire_request_ok - is a packet of that length a request by the rules? */
bool runwire_request_ok(const struct runwire_request *request, size_t len);

/* runwire_get - a field of a good RUN; *len is its length, 0: none */
const char *runwire_get(const struct runwire_request *request,
                        enum runwire_field field, size_t *len);
#endif

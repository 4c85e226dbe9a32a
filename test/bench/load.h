/* load.h - the generator: what it was told, its connections, one turn of its
 * loop; and its jobs */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "count.h"
#include "wire.h"

#include <netinet/in.h>

enum { HEAD_MOST = 1024 };

/* What is said on a connection. Raw or HTTP differ only in these bytes, and in
 * where the answer's length comes from. */
struct talk {
    char first[256]; /* behind the handshake */
    size_t first_size;
    char next[256]; /* each further time */
    size_t next_size;
    uint64_t stream; /* bytes that follow `first`; UINT64_MAX has no end */
    uint64_t answer; /* bytes of an answer; UINT64_MAX has no end */
    int http;        /* the answer begins with a head, which has the length */
};

enum conn_state {
    CONN_CLOSED,
    CONN_CONNECTING,
    CONN_SHAKING,
    CONN_SENDING,
    CONN_ANSWER,
    CONN_RESTING /* answered; whatever comes now ends it */
};

enum outcome { CONN_WAIT, CONN_MORE, CONN_ANSWERED, CONN_LOST };

struct conn {
    struct wire wire;
    enum conn_state state;
    uint32_t events; /* that epoll waits for */
    int more;        /* to be driven again without an event */
    double began;    /* the operation that goes on */
    double retry;    /* closed: not to be opened before */
    double heard;    /* the first byte of its handshake came, or 0 */
    const char *out;
    size_t out_left;
    uint64_t stream_left, answer_left;
    size_t head_size;
    char head[HEAD_MOST];
};

struct load {
    struct sockaddr_in target;
    unsigned sources; /* source addresses, 127.0.0.1 and up */
    SSL_CTX *tls;     /* NULL: plain */
    const char *name; /* that is asked for */
    X509 **certs;     /* connections present them in turn; NULL: all the one */
    unsigned cert_count, cert_next;
    struct talk talk;
    int fresh; /* each operation has a connection of its own */
    unsigned conns;
    unsigned silent; /* of an attack: connections that say nothing */
    double rate;     /* of an attack: handshakes per second */
    double warmup, time, timeout;
    double rest; /* before a connection's place has another */
    int hello;   /* a time ends with the server's first byte */
    int poll;
    unsigned more, closed; /* connections that are so */
    struct conn *conn;
    struct count count;
};

/*
 * conn_open - connect and go on as far as can be; the number chooses the source
 * conn_ask - say `next` on one that is resting
 * conn_drive - go on after an event
 * conn_lost - count what went wrong at this state, close, set the retry
 * CONN_ANSWERED: the whole answer is there. CONN_LOST: call conn_lost.
 */
enum outcome conn_open(struct load *load, struct conn *conn, unsigned number);
enum outcome conn_ask(struct load *load, struct conn *conn);
enum outcome conn_drive(struct load *load, struct conn *conn);
void conn_lost(struct load *load, struct conn *conn);
void conn_close(struct load *load, struct conn *conn);

/* What a job does when a connection was answered or lost. */
typedef void load_event(struct load *load, struct conn *conn, enum outcome);

/* load_turn - wait, at most so long, and drive what can go on */
void load_turn(struct load *load, int wait_ms, load_event *event);

/* load_open - open those that are closed and whose time has come, at most so
 * many */
void load_open(struct load *load, load_event *event, unsigned most);

/* load_word - print a phase's name; load_phase waits, too, until a line tells us
 * to go on: the program that started us measures in between. Ends the program
 * at end of file. */
void load_word(const char *word);
void load_phase(const char *word);

/* The jobs; each prints its phases and its result. */
void job_run(struct load *load);    /* phases begin, end: for some time */
void job_once(struct load *load);   /* phases begin, end: all conns at once */
void job_hold(struct load *load);   /* phases held, answered: then they end */
void job_attack(struct load *load); /* phase begin: until we are told to end */

#endif

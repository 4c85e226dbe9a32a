/*
 * jobs.c - what the generator does with its connections
 *
 * A job measures times and counts failures; whoever started us measures the
 * servers, between the phases that we print.
 */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

enum { EVENTS = 512, TURN_MS = 5, OPENING_AT_ONCE = 64 };

void
load_word(const char *word)
{
    printf("%s\n", word);
    fflush(stdout);
}

void
load_phase(const char *word)
{
    char answer[64];

    load_word(word);
    if (fgets(answer, sizeof(answer), stdin) == NULL)
        exit(1);
}

static unsigned
number(const struct load *load, const struct conn *conn)
{
    return (unsigned)(conn - load->conn);
}

void
load_turn(struct load *load, int wait_ms, load_event *event)
{
    struct epoll_event events[EVENTS];
    int n =
        epoll_wait(load->poll, events, EVENTS, load->more > 0 ? 0 : wait_ms);
    unsigned more = load->more;

    for (int i = 0; i < n; i++) {
        struct conn *conn = events[i].data.ptr;

        event(load, conn, conn_drive(load, conn));
    }
    for (unsigned i = 0; more > 0 && i < load->conns; i++)
        if (load->conn[i].more)
            event(load, &load->conn[i], conn_drive(load, &load->conn[i]));
}

void
load_open(struct load *load, load_event *event, unsigned most)
{
    double now = seconds();

    for (unsigned i = 0; most > 0 && load->closed > 0 && i < load->conns; i++) {
        struct conn *conn = &load->conn[i];

        if (conn->state != CONN_CLOSED || conn->retry > now)
            continue;
        event(load, conn, conn_open(load, conn, i));
        most--;
    }
}

/* again - job_run: an answer is followed by the next question, at once */
static void
again(struct load *load, struct conn *conn, enum outcome outcome)
{
    while (outcome == CONN_ANSWERED) {
        double now = seconds();

        count_done(&load->count, conn->began, load->hello ? conn->heard : now);
        if (!load->fresh) {
            outcome = conn_ask(load, conn);
            continue;
        }
        conn_close(load, conn);
        conn->retry = now + load->rest;
        if (load->rest > 0)
            return;
        outcome = conn_open(load, conn, number(load, conn));
    }
    if (outcome == CONN_LOST)
        conn_lost(load, conn);
}

static void
run_for(struct load *load, double time)
{
    double end = seconds() + time;

    while (seconds() < end) {
        load_open(load, again, load->conns);
        load_turn(load, TURN_MS, again);
    }
}

/* settled - has every connection that stays got past its handshake? */
static int
settled(const struct load *load)
{
    for (unsigned i = 0; !load->fresh && i < load->conns; i++)
        if (load->conn[i].state < CONN_SENDING)
            return 0;
    return 1;
}

void
job_run(struct load *load)
{
    double began = seconds(), elapsed;

    do
        run_for(load, load->warmup);
    while (!settled(load) && seconds() - began < load->timeout);
    load_phase("begin");
    began = seconds();
    count_from(&load->count, began);
    run_for(load, load->time);
    elapsed = seconds() - began;
    load_phase("end");
    count_print(&load->count, elapsed);
}

/* first - job_once, job_hold: the answer is there */
static void
first(struct load *load, struct conn *conn, enum outcome outcome)
{
    if (outcome == CONN_LOST)
        conn_lost(load, conn);
    if (outcome != CONN_ANSWERED)
        return;
    count_done(&load->count, conn->began, seconds());
    if (load->fresh)
        conn_close(load, conn);
    conn->retry = seconds() + load->timeout;
}

void
job_once(struct load *load)
{
    double began, elapsed;

    load_phase("begin");
    began = seconds();
    count_from(&load->count, began);
    for (unsigned i = 0; i < load->conns; i++)
        first(load, &load->conn[i], conn_open(load, &load->conn[i], i));
    do {
        load_turn(load, TURN_MS, first);
        elapsed = seconds() - began;
    } while (load->count.done + load->count.failed < load->conns &&
             elapsed < load->timeout);
    load_phase("end");
    count_print(&load->count, elapsed);
}

/* turns_until - all were answered or lost, or the time is over */
static void
turns_until(struct load *load, size_t so_many)
{
    double end = seconds() + load->timeout;

    while (load->count.done + load->count.failed < so_many && seconds() < end)
        load_turn(load, TURN_MS, first);
}

void
job_hold(struct load *load)
{
    double began = seconds();
    unsigned opened = 0;

    count_from(&load->count, began);
    while (opened < load->conns) {
        size_t target =
            opened + 1 > OPENING_AT_ONCE ? opened + 1 - OPENING_AT_ONCE : 0;

        turns_until(load, target);
        first(load, &load->conn[opened],
              conn_open(load, &load->conn[opened], opened));
        opened++;
    }
    turns_until(load, load->conns);
    load_phase("held");

    began = seconds();
    count_from(&load->count, began);
    for (unsigned i = 0; i < load->conns; i++)
        if (load->conn[i].state == CONN_RESTING) {
            first(load, &load->conn[i], conn_ask(load, &load->conn[i]));
            load_turn(load, 0, first);
        }
    turns_until(load, load->conns - load->closed);
    load_phase("answered");
    count_print(&load->count, seconds() - began);
}

/*
 * health.c - which addresses of a service failed lately
 *
 * Owns the rule by which an address is skipped and tried again.
 * Pure: no clock of its own, no descriptor, no log. Must never share what one
 * service's workers said with another service.
 */
#include "master/health.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct health_mark *
find(const struct health *health, const struct sockaddr_storage *sa,
     socklen_t len)
{
    for (size_t i = 0; i < health->count; i++)
        if (health->mark[i].sa_len == len &&
            memcmp(&health->mark[i].sa, sa, len) == 0)
            return &health->mark[i];
    return NULL;
}

const struct health_mark *
health_mark(const struct health *health, const struct sockaddr_storage *sa,
            socklen_t len)
{
    return find(health, sa, len);
}

bool
health_down(const struct health_mark *mark, int64_t now)
{
    return mark != NULL && now < mark->down_until;
}

bool
health_given(struct health *health, const struct sockaddr_storage *sa,
             socklen_t len, int64_t now)
{
    struct health_mark *mark = find(health, sa, len);

    if (mark == NULL)
        return false;
    if (now >= mark->down_until) {
        mark->trial = true;
        mark->down_until = now + mark->penalty;
    }
    return true;
}

/* oldest - the mark that failed longest ago; there is one */
static struct health_mark *
oldest(struct health *health)
{
    struct health_mark *mark = health->mark;

    for (size_t i = 1; i < health->count; i++)
        if (health->mark[i].failed_at < mark->failed_at)
            mark = &health->mark[i];
    return mark;
}

/* place - for one more mark; NULL: no memory, it is not remembered then */
static struct health_mark *
place(struct health *health)
{
    size_t room = health->room == 0 ? 4 : 2 * health->room;
    struct health_mark *grown;

    if (health->count == HEALTH_MAX)
        return oldest(health);
    if (health->count == health->room) {
        grown = reallocarray(health->mark, room, sizeof(*grown));
        if (grown == NULL)
            return NULL;
        health->mark = grown;
        health->room = room;
    }
    return &health->mark[health->count++];
}

/* ours - is this our own trouble, and not the upstream's? */
static bool
ours(int error)
{
    switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EAGAIN:
    case EADDRNOTAVAIL:
    case EADDRINUSE:
        return true;
    default:
        return false;
    }
}

static bool
works(struct health *health, struct health_mark *mark)
{
    if (mark == NULL)
        return false;
    *mark = health->mark[--health->count];
    return true;
}

bool
health_outcome(struct health *health, const struct sockaddr_storage *sa,
               socklen_t len, int error, int64_t now, int64_t *penalty)
{
    struct health_mark *mark = find(health, sa, len);
    bool late;

    *penalty = 0;
    if (error == 0)
        return works(health, mark);
    if (ours(error) || len > sizeof(*sa))
        return false;
    if (mark == NULL) {
        if ((mark = place(health)) == NULL)
            return false;
        memset(mark, 0, sizeof(*mark));
        memcpy(&mark->sa, sa, len);
        mark->sa_len = len;
    }
    late = mark->trial || now >= mark->down_until;
    mark->failed_at = now;
    mark->trial = false;
    if (!late)
        return false; /* it was tried for want of another one */
    mark->penalty = mark->penalty == 0 ? HEALTH_FIRST_MS : 2 * mark->penalty;
    if (mark->penalty > HEALTH_MOST_MS)
        mark->penalty = HEALTH_MOST_MS;
    mark->down_until = now + mark->penalty;
    *penalty = mark->penalty;
    return true;
}

void
health_free(struct health *health)
{
    free(health->mark);
    memset(health, 0, sizeof(*health));
}

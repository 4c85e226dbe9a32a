/*
 * expiry.c - what of the running generation runs out
 *
 * Owns the rule of the last third, for a daemon that is never reloaded because
 * its renewer has failed. Looks at what was read; opens nothing.
 */
#include "master/expiry.h"
#include "common/tlsside.h"
#include "master/generation.h"
#include <stdio.h>

#define LOOK_LEAST 600
#define LOOK_MOST  86400
#define CA_AHEAD   (30 * 86400)

/* one look: whom it is about, and when the next one is due */
struct look {
    time_t now, next;
    const char *service;
    void (*tell)(void *ctx, const char *service, const char *text);
    void *ctx;
};

/* due - the next look is no later than that */
static void
due(struct look *look, time_t when)
{
    if (when < look->now + LOOK_LEAST)
        when = look->now + LOOK_LEAST;
    if (when < look->next)
        look->next = when;
}

/* judge - something called what, which is to be renewed from warn on and ends
 * at end */
static void
judge(struct look *look, const char *what, const char *whose, time_t warn,
      time_t end)
{
    char text[512], date[32];
    struct tm tm;

    if (look->now < warn) {
        due(look, warn);
        return;
    }
    strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%SZ", gmtime_r(&end, &tm));
    snprintf(text, sizeof(text), "%s%s%s %s %s", what,
             whose[0] != '\0' ? " " : "", whose,
             look->now < end ? "expires at" : "has expired at", date);
    look->tell(look->ctx, look->service, text);
    due(look, look->now + (end - look->now) / 4);
}

/* third - when the last third of a life begins */
static time_t
third(time_t from, time_t to)
{
    return to - (to - from) / 3;
}

static void
side(struct look *look, const struct tls_side *side, bool upstream)
{
    size_t i;

    if (side == NULL)
        return;
    for (i = 0; i < side->cert_count; i++)
        judge(look, upstream ? "upstream_cert" : "cert", side->cert[i].subject,
              third(side->cert[i].not_before, side->cert[i].not_after),
              side->cert[i].not_after);
    for (i = 0; i < side->crl_count; i++)
        judge(look, upstream ? "upstream_crl" : "crl", "",
              third(side->crl[i].crl.this_update, side->crl[i].crl.next_update),
              side->crl[i].crl.next_update);
    if (side->ca_not_after != 0)
        judge(look, upstream ? "upstream_ca" : "ca", "",
              side->ca_not_after - CA_AHEAD, side->ca_not_after);
}

time_t
expiry_look(const struct generation *gen, time_t now,
            void (*tell)(void *ctx, const char *service, const char *text),
            void *ctx)
{
    struct look look = { now, now + LOOK_MOST, NULL, tell, ctx };
    size_t i, j;

    for (i = 0; i < gen->conf->service_count; i++) {
        const struct conf_service *service = &gen->conf->service[i];

        look.service = service->name;
        side(&look, gen->sides[i].client, false);
        for (j = 0; j < service->route_count; j++)
            side(&look, gen->sides[i].upstream[j], true);
    }
    return look.next;
}

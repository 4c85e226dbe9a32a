/*
 * conf_only.c - one service of a configuration, the rest given up
 *
 * Pure: touches nothing but the configuration.
 */
#include "common/conf_build.h"
#include "common/conf_convert.h"
#include "common/words.h"
#include <string.h>

#define EXEC "exec:"

/* lead - the route goes to the program, and to nobody else */
static enum err
lead(struct conf_route *route, char *const *program, struct why *why)
{
    char text[sizeof(EXEC) - 1 + WORDS_TEXT_MAX] = EXEC;
    struct addr addr;
    struct conf_addrs one = { .count = 1, .item = &addr };
    char *command = text + strlen(EXEC);
    enum err err = words_join(program, command, WORDS_TEXT_MAX, why);

    if (err == ERR_OK)
        err = addr_parse_upstream(text, &addr, why);
    if (err != ERR_OK)
        return err;
    addr.text = text;
    conf_addrs_free(&route->upstream);
    conf_addrs_copy(&one, &route->upstream);
    route->tls = false;
    return ERR_OK;
}

void
conf_program(struct conf_build *build, const char *name, char *const *program)
{
    struct conf *conf = build->conf;
    struct why why;

    for (size_t i = 0; i < conf->service_count; i++)
        if (strcmp(conf->service[i].name, name) == 0 &&
            lead(&conf->service[i].route[0], program, &why) != ERR_OK)
            conf_tell(build, 0, 0, "%s", why.text);
}

bool
conf_only(struct conf *conf, const char *name)
{
    struct conf_service kept;
    bool found = false;

    for (size_t i = 0; i < conf->service_count; i++)
        if (strcmp(conf->service[i].name, name) == 0) {
            kept = conf->service[i];
            found = true;
        } else {
            conf_service_free(&conf->service[i]);
        }
    conf->service_count = found;
    if (!found)
        return false;
    conf->service[0] = kept;
    conf_addrs_free(&conf->service[0].listen);
    return true;
}

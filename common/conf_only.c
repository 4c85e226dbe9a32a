/*
 * conf_only.c - one service of a configuration, the rest given up
 *
 * Pure: touches nothing but the configuration.
 */
#include "common/conf_build.h"
#include "common/conf_convert.h"
#include <string.h>

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

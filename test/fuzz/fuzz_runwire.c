/*
 * fuzz_runwire.c - any packet at all to a runner
 *
 * What passes for a request must become an environment of printable variables,
 * each with a name of ours.
 */
#include "common/runwire.h"
#include "master/runner_env.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
must(int true_thing)
{
    if (!true_thing)
        abort();
}

static void
check(const char *item)
{
    const char *value = strchr(item, '=');

    must(value != NULL && value > item && value[1] != '(' && value[1] != '\0');
    for (const char *at = item; at < value; at++)
        must((*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9') ||
             *at == '_');
    for (const char *at = value; *at != '\0'; at++)
        must(*at >= 0x20 && *at < 0x7f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct runwire_request request;
    static struct runner_env env;

    if (len > sizeof(request))
        return 0;
    memset(&request, 0xee, sizeof(request)); /* what a longer one left behind */
    memcpy(&request, data, len);
    if (!runwire_request_ok(&request, len) || request.kind != RUNWIRE_RUN)
        return 0;
    runner_env_make("web", &request, &env);
    for (size_t i = 0; env.item[i] != NULL; i++)
        check(env.item[i]);
    return 0;
}

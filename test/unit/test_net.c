/*
 * test_net.c - networks: what is read is written the same, who is in them; the
 * hash that attackers cannot choose collisions for
 */
#include "common/net.h"
#include "common/siphash.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void
what_is_read_is_written_the_same(void **state)
{
    static const char *const good[] = {
        "192.0.2.0/24",  "192.0.2.1",   "0.0.0.0/0",    "10.0.0.0/8",
        "2001:db8::/32", "2001:db8::1", "::/0",         "::1",
        "128.0.0.0/1",   "fe80::/10",   "192.0.2.6/31",
    };
    char text[NET_TEXT_MAX];
    struct net net;
    struct why why;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(net_parse(good[i], &net, &why), ERR_OK);
        assert_string_equal(net_text(&net, text), good[i]);
    }
}

static void
what_is_no_network_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "/",
        "/8",
        "192.0.2.0/",
        "192.0.2.0/33",
        "192.0.2.0/-1",
        "192.0.2.0/08",
        "192.0.2.0/8 ",
        "192.0.2",
        "192.0.2.256",
        "2001:db8::/129",
        "[::1]",
        "host",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999",
        "00000000000000000000000000000000000000000000000000000001/8",
    };
    struct net net;
    struct why why;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(net_parse(bad[i], &net, &why), ERR_FORMAT);
    assert_int_equal(net_parse("192.0.2.1/24", &net, &why), ERR_FORMAT);
    assert_non_null(strstr(why.text, "did you mean \"192.0.2.0/24\"?"));
}

/* bytes - the address of a text */
static const uint8_t *
bytes(const char *text)
{
    static struct net net;

    assert_int_equal(net_parse(text, &net, NULL), ERR_OK);
    return net.addr;
}

static void
members(void **state)
{
    static const struct {
        const char *net, *addr;
        bool in;
    } rows[] = {
        { "192.0.2.0/24", "192.0.2.255", true },
        { "192.0.2.0/24", "192.0.3.0", false },
        { "192.0.2.6/31", "192.0.2.7", true },
        { "192.0.2.6/31", "192.0.2.8", false },
        { "0.0.0.0/0", "255.255.255.255", true },
        { "0.0.0.0/0", "2001:db8::1", false },
        { "::/0", "2001:db8::1", true },
        { "::/0", "192.0.2.1", false },
        { "2001:db8::/33", "2001:db8:7fff::", true },
        { "2001:db8::/33", "2001:db8:8000::", false },
        { "::1", "::1", true },
    };
    static const uint8_t unix_socket[16];
    struct net net;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(net_parse(rows[i].net, &net, NULL), ERR_OK);
        assert_int_equal(net_has(&net, 1, bytes(rows[i].addr)), rows[i].in);
        assert_false(net_has(&net, 1, unix_socket));
    }
    assert_false(net_has(NULL, 0, bytes("::1")));
}

static void
sources_are_cut_by_family(void **state)
{
    const struct net_mask mask = { 24, 56 };
    char text[NET_TEXT_MAX];
    struct net net;

    (void)state;
    net = net_of(bytes("192.0.2.77"), &mask);
    assert_string_equal(net_text(&net, text), "192.0.2.0/24");
    net = net_of(bytes("2001:db8:1:2ff:3::4"), &mask);
    assert_string_equal(net_text(&net, text), "2001:db8:1:200::/56");
}

/* the vectors of the paper's reference implementation */
static void
siphash_is_siphash(void **state)
{
    uint8_t key[16], text[15];

    (void)state;
    for (uint8_t i = 0; i < 16; i++)
        key[i] = i;
    for (uint8_t i = 0; i < 15; i++)
        text[i] = i;
    assert_true(siphash(key, text, 0) == 0x726fdb47dd0e0e31);
    assert_true(siphash(key, text, 15) == 0xa129ca6149be45e5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_is_written_the_same),
        cmocka_unit_test(what_is_no_network_is_refused),
        cmocka_unit_test(members),
        cmocka_unit_test(sources_are_cut_by_family),
        cmocka_unit_test(siphash_is_siphash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_log.c - no sender writes a line that it should not
 *
 * Records are made by the builder, taken off its socket, and rendered; hostile
 * ones are written by hand.
 */
#include "common/log.h"
#include "test/unit/json.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

static int pair[2];

static int
setup(void **state)
{
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    log_open(pair[0], LOG_L_DEBUG);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    log_open(-1, LOG_L_INFO);
    close(pair[0]);
    close(pair[1]);
    return 0;
}

/* render_sent - the line just sent, as text */
static void
render_sent(enum log_format format, char *out, size_t size)
{
    char record[LOG_RECORD_MAX];
    ssize_t len = recv(pair[1], record, sizeof(record), MSG_DONTWAIT);

    assert_true(len > 0);
    assert_int_equal(log_render(record, (size_t)len, format, 0, 7, out, size),
                     ERR_OK);
}

/* render_one - one text field x in both formats; the text behind x= and x": */
static void
render_one(const void *value, size_t len, char *logfmt, char *json, size_t size)
{
    static const char head[] = "mtlsd[7] info e x=";
    static const char json_head[] =
        "{\"pid\":7,\"level\":\"info\",\"event\":\"e\",\"x\":";

    for (int format = LOG_F_LOGFMT; format <= LOG_F_JSON; format++) {
        const char *want = format == LOG_F_JSON ? json_head : head;
        char *out = format == LOG_F_JSON ? json : logfmt;
        struct log_line line;

        log_begin(&line, LOG_L_INFO, "e");
        log_bytes(&line, "x", value, len);
        log_send(&line);
        render_sent((enum log_format)format, out, size);
        assert_memory_equal(out, want, strlen(want));
        memmove(out, out + strlen(want), strlen(out + strlen(want)) + 1);
    }
    assert_int_equal(json[strlen(json) - 1], '}');
    json[strlen(json) - 1] = '\0';
}

#define S(text) text, sizeof(text) - 1

static const struct {
    const char *value;
    size_t len;
    const char *logfmt, *json;
} values[] = {
    { S("web"), "web", "\"web\"" },
    { S("[::1]:443"), "[::1]:443", "\"[::1]:443\"" },
    { S("CN=a,O=b"), "CN=a,O=b", "\"CN=a,O=b\"" },
    { S(""), "\"\"", "\"\"" },
    { S("two words"), "\"two words\"", "\"two words\"" },
    { S("a\"b"), "\"a\\\"b\"", "\"a\\\"b\"" },
    { S("a\\x0a"), "\"a\\\\x0a\"", "\"a\\\\x0a\"" },
    /* a forged second line, a forged field, a forged end of the object */
    { S("a\nwarn x"), "\"a\\x0awarn x\"", "\"a\\u000awarn x\"" },
    { S("a\r\n"), "\"a\\x0d\\x0a\"", "\"a\\u000d\\u000a\"" },
    { S("a\" reason=\"b"), "\"a\\\" reason=\\\"b\"", "\"a\\\" reason=\\\"b\"" },
    { S("\"}\n{\"pid\":1"), "\"\\\"}\\x0a{\\\"pid\\\":1\"",
      "\"\\\"}\\u000a{\\\"pid\\\":1\"" },
    { S("a\0b"), "\"a\\x00b\"", "\"a\\u0000b\"" },
    { S("\033[2J"), "\"\\x1b[2J\"", "\"\\u001b[2J\"" },
    { S("\x7f"), "\"\\x7f\"", "\"\\u007f\"" },
    { S("M\xc3\xbcller"), "\"M\\xc3\\xbcller\"", "\"M\xc3\xbcller\"" },
    { S("\xe2\x82\xac"), "\"\\xe2\\x82\\xac\"", "\"\xe2\x82\xac\"" },
    { S("\xf0\x9f\x94\x92"), "\"\\xf0\\x9f\\x94\\x92\"",
      "\"\xf0\x9f\x94\x92\"" },
    /* C1 control as UTF-8, line separator, right-to-left override, BOM, tag */
    { S("\xc2\x9b"), "\"\\xc2\\x9b\"", "\"\\u009b\"" },
    { S("\xe2\x80\xa8"), "\"\\xe2\\x80\\xa8\"", "\"\\u2028\"" },
    /* NOLINTNEXTLINE(misc-misleading-bidirectional): the test is about it */
    { S("\xe2\x80\xae"), "\"\\xe2\\x80\\xae\"", "\"\\u202e\"" },
    { S("\xef\xbb\xbf"), "\"\\xef\\xbb\\xbf\"", "\"\\ufeff\"" },
    { S("\xf3\xa0\x81\x81"), "\"\\xf3\\xa0\\x81\\x81\"", "\"\\udb40\\udc41\"" },
    /* not UTF-8: alone, cut, overlong, surrogate, too high */
    { S("\x9b"), "\"\\x9b\"", "\"\\u009b\"" },
    { S("\xc3"), "\"\\xc3\"", "\"\\u00c3\"" },
    { S("\xe2\x82"), "\"\\xe2\\x82\"", "\"\\u00e2\\u0082\"" },
    { S("\xc0\x8a"), "\"\\xc0\\x8a\"", "\"\\u00c0\\u008a\"" },
    { S("\xe0\x80\x8a"), "\"\\xe0\\x80\\x8a\"", "\"\\u00e0\\u0080\\u008a\"" },
    { S("\xed\xa0\x80"), "\"\\xed\\xa0\\x80\"", "\"\\u00ed\\u00a0\\u0080\"" },
    { S("\xf4\x90\x80\x80"), "\"\\xf4\\x90\\x80\\x80\"",
      "\"\\u00f4\\u0090\\u0080\\u0080\"" },
    { S("\xff"), "\"\\xff\"", "\"\\u00ff\"" },
    { S("\xc3\""), "\"\\xc3\\\"\"", "\"\\u00c3\\\"\"" },
};

static void
values_are_escaped(void **state)
{
    char logfmt[LOG_LINE_MAX], json[LOG_LINE_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        render_one(values[i].value, values[i].len, logfmt, json, sizeof(json));
        assert_string_equal(logfmt, values[i].logfmt);
        assert_string_equal(json, values[i].json);
    }
}

static void
long_values_are_cut_between_characters(void **state)
{
    char value[LOG_VALUE_MAX * 2], logfmt[LOG_LINE_MAX], json[LOG_LINE_MAX];

    (void)state;
    memset(value, 'a', sizeof(value));
    render_one(value, LOG_VALUE_MAX, logfmt, json, sizeof(json));
    assert_int_equal(strlen(logfmt), LOG_VALUE_MAX);
    render_one(value, LOG_VALUE_MAX + 1, logfmt, json, sizeof(json));
    assert_int_equal(strlen(logfmt), LOG_VALUE_MAX + 5);
    assert_string_equal(logfmt + LOG_VALUE_MAX, "a...\"");

    memset(value, '\n', sizeof(value));
    render_one(value, sizeof(value), logfmt, json, sizeof(json));
    assert_true(strlen(logfmt) <= LOG_VALUE_MAX + 5 &&
                strlen(json) <= LOG_VALUE_MAX + 5);
    assert_string_equal(logfmt + strlen(logfmt) - 8, "\\x0a...\"");
    assert_string_equal(json + strlen(json) - 10, "\\u000a...\"");

    for (size_t i = 0; i + 1 < sizeof(value); i += 2) /* at an odd place */
        memcpy(value + i, i == 0 ? "aa" : "\xbc\xc3", 2);
    value[1] = '\xc3';
    render_one(value, sizeof(value), logfmt, json, sizeof(json));
    assert_string_equal(json + strlen(json) - 6, "\xc3\xbc...\"");
}

static void
numbers_stay_numbers(void **state)
{
    char out[LOG_LINE_MAX];
    struct log_line line;

    (void)state;
    log_begin(&line, LOG_L_WARN, "done");
    log_int(&line, "a", 0);
    log_int(&line, "b", -42);
    log_int(&line, "c", 999999999999999);
    log_int(&line, "d", 1000000000000000);
    log_text(&line, "serial", "17");
    log_time(&line, "time", 3200);
    log_send(&line);
    render_sent(LOG_F_JSON, out, sizeof(out));
    assert_string_equal(
        out,
        "{\"pid\":7,\"level\":\"warn\",\"event\":\"done\",\"a\":0,\"b\":-42,"
        "\"c\":999999999999999,\"d\":\"1000000000000000\",\"serial\":\"17\","
        "\"time\":\"3.200s\"}");
}

static void
stamps_cannot_be_written_over(void **state)
{
    char out[LOG_LINE_MAX];
    struct log_line line;

    (void)state;
    log_begin(&line, LOG_L_INFO, "e");
    log_int(&line, "pid", 1);
    log_text(&line, "ts", "never");
    log_text(&line, "level", "error");
    log_text(&line, "event", "f");
    log_send(&line);
    render_sent(LOG_F_JSON, out, sizeof(out));
    assert_string_equal(
        out, "{\"pid\":7,\"level\":\"info\",\"event\":\"e\",\"pid_\":1,"
             "\"ts_\":\"never\",\"level_\":\"error\",\"event_\":\"f\"}");
}

/* hostile records; \3 is the level info */
static const struct {
    const char *record;
    size_t len;
} broken[] = {
    { S("") },
    { S("\3") },
    { S("\3e") },
    { S("\3\0") },
    { S("\5e\0") },
    { S("\xff"
        "e\0") },
    { S("\3E\0") },
    { S("\3e f\0") },
    { S("\3e\nf\0") },
    { S("\3e=f\0") },
    { S("\3aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\0") }, /* 33 */
    { S("\3e\0t") },
    { S("\3e\0t\0\0\0") },
    { S("\3e\0tk\0") },
    { S("\3e\0tk\0\1") },
    { S("\3e\0tk\0\1\0") },
    { S("\3e\0tk\0\xff\xff"
        "a") },
    { S("\3e\0xk\0\1\0a") },
    { S("\3e\0tK\0\1\0a") },
    { S("\3e\0tk=\0\1\0a") },
    { S("\3e\0tk\n\0\1\0a") },
    { S("\3e\0tk\"\0\1\0a") },
    { S("\3e\0tk\0\1\0aq") },
    { S("\3e\0tk\0\1\0at") },
};

static void
broken_records_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        for (int format = LOG_F_LOGFMT; format <= LOG_F_JSON; format++) {
            char *exact = malloc(broken[i].len + 1); /* over-reads are seen */
            char out[LOG_LINE_MAX] = "x";

            memcpy(exact, broken[i].record, broken[i].len);
            exact = realloc(exact, broken[i].len > 0 ? broken[i].len : 1);
            assert_int_equal(log_render(exact, broken[i].len,
                                        (enum log_format)format, 1, 1, out,
                                        sizeof(out)),
                             ERR_FORMAT);
            assert_string_equal(out, "");
            free(exact);
        }
}

static void
a_false_number_is_text(void **state)
{
    static const char *const texts[] = { "007", "-0",  "-", "1,\"x\":2",
                                         "1e5", "0x1", "",  " 1" };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char record[64], out[256];
        uint16_t len = (uint16_t)strlen(texts[i]);

        memcpy(record, "\3e\0nk\0", 6);
        memcpy(record + 6, &len, 2);
        memcpy(record + 8, texts[i], len);
        assert_int_equal(
            log_render(record, 8u + len, LOG_F_JSON, 0, 1, out, sizeof(out)),
            ERR_OK);
        assert_true(json_flat(out));
        assert_non_null(strstr(out, "\"k\":\""));
    }
}

static void
any_room_is_enough_or_said(void **state)
{
    char record[LOG_RECORD_MAX], whole[LOG_LINE_MAX];
    struct log_line line;
    ssize_t len;

    (void)state;
    log_begin(&line, LOG_L_INFO, "done");
    log_text(&line, "first", "long \n\n\n\n\n\n\n\n\n value");
    log_int(&line, "n", 5);
    log_send(&line);
    len = recv(pair[1], record, sizeof(record), MSG_DONTWAIT);
    for (int format = LOG_F_LOGFMT; format <= LOG_F_JSON; format++)
        for (size_t size = 0; size < 400; size++) {
            char *out = malloc(size + 1);
            enum err err;

            out = realloc(out, size > 0 ? size : 1);
            err = log_render(record, (size_t)len, (enum log_format)format, 1, 1,
                             out, size);
            assert_true(err == ERR_OK || err == ERR_RANGE);
            if (err == ERR_OK) {
                assert_true(strlen(out) < size);
                assert_true(format == LOG_F_LOGFMT || json_flat(out));
                snprintf(whole, sizeof(whole), "%s", out);
            } else if (size > 0) {
                assert_string_equal(out, "");
            }
            free(out);
        }
    assert_null(strstr(whole, "cut"));
}

static void
what_does_not_fit_is_marked(void **state)
{
    char out[LOG_LINE_MAX], big[LOG_VALUE_MAX];
    struct log_line line;

    (void)state;
    memset(big, 'a', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    for (int format = LOG_F_LOGFMT; format <= LOG_F_JSON; format++) {
        const char *mark =
            format == LOG_F_JSON ? ",\"cut\":\"yes\"}" : " cut=yes";

        log_begin(&line, LOG_L_INFO, "done");
        for (int i = 0; i < 20; i++)
            log_text(&line, "big", big);
        log_text(&line, "small", "s"); /* what fits is still there */
        log_send(&line);
        render_sent((enum log_format)format, out, sizeof(out));
        assert_string_equal(out + strlen(out) - strlen(mark), mark);
        assert_non_null(strstr(out, "small"));
        assert_true(format == LOG_F_LOGFMT || json_flat(out));
    }
}

static void
times_are_right(void **state)
{
    static const int64_t seconds[] = { 1,          951782399,  951782400,
                                       951868800,  1709164800, 1709251199,
                                       1735689599, 1795284724, 4102444799,
                                       4102444800, 4107542400, 253402300799 };
    char out[256], want[64];

    (void)state;
    for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
        time_t when = (time_t)seconds[i];
        struct tm tm;

        gmtime_r(&when, &tm);
        strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S.123Z mtlsd[9] info e",
                 &tm);
        assert_int_equal(log_render("\3e\0", 3, LOG_F_LOGFMT,
                                    seconds[i] * 1000000 + 123999, 9, out,
                                    sizeof(out)),
                         ERR_OK);
        assert_string_equal(out, want);
    }
    assert_int_equal(
        log_render("\3e\0", 3, LOG_F_JSON, INT64_MAX, 9, out, sizeof(out)),
        ERR_OK);
    assert_true(json_flat(out));
}

static void
levels_decide_what_is_sent(void **state)
{
    struct log_line line;
    char record[LOG_RECORD_MAX];

    (void)state;
    log_open(pair[0], LOG_L_WARN);
    log_begin(&line, LOG_L_NOTICE, "quiet");
    assert_false(line.on);
    log_text(&line, "a", "b");
    log_int(&line, "a", 1);
    log_send(&line);
    log_simple(LOG_L_INFO, "quiet", "x");
    assert_int_equal(recv(pair[1], record, sizeof(record), MSG_DONTWAIT), -1);
    log_simple(LOG_L_ERROR, "loud", NULL);
    assert_true(recv(pair[1], record, sizeof(record), MSG_DONTWAIT) > 0);
}

/* lost lines: the socket takes no more, and nobody waits for ever */
static void
lost_lines_are_counted(void **state)
{
    const struct timeval wait = { 0, 10000 };
    char out[LOG_LINE_MAX], record[LOG_RECORD_MAX];
    struct log_line line;

    (void)state;
    assert_int_equal(
        setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)), 0);
    assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
    while (send(pair[0], "\3full\0", 6, 0) == 6)
        ;
    assert_int_equal(fcntl(pair[0], F_SETFL, 0), 0);
    errno = 4711;
    for (int i = 0; i < 3; i++)
        log_simple(LOG_L_INFO, "lost_one", NULL);
    assert_int_equal(errno, 4711);
    while (recv(pair[1], record, sizeof(record), MSG_DONTWAIT) > 0)
        ;
    log_begin(&line, LOG_L_INFO, "next");
    log_send(&line);
    render_sent(LOG_F_LOGFMT, out, sizeof(out));
    assert_string_equal(out, "mtlsd[7] info next lost=3");
    log_simple(LOG_L_INFO, "then", NULL);
    render_sent(LOG_F_LOGFMT, out, sizeof(out));
    assert_string_equal(out, "mtlsd[7] info then");
}

static void
a_dead_logger_harms_nobody(void **state)
{
    (void)state;
    close(pair[1]);
    pair[1] = -1;
    for (int i = 0; i < 3; i++)
        log_simple(LOG_L_INFO, "nobody", "hears"); /* no SIGPIPE */
}

static void
without_logger_lines_go_to_stderr(void **state)
{
    char out[256], want[64];
    int pipes[2], saved = dup(STDERR_FILENO);
    ssize_t len;

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    log_open(-1, LOG_L_INFO);
    dup2(pipes[1], STDERR_FILENO);
    log_simple(LOG_L_NOTICE, "ready", "two words");
    dup2(saved, STDERR_FILENO);
    len = read(pipes[0], out, sizeof(out) - 1);
    assert_true(len > 0);
    out[len] = '\0';
    snprintf(want, sizeof(want),
             "mtlsd[%d] notice ready reason=\"two words\"\n", (int)getpid());
    assert_string_equal(out, want);
    close(pipes[0]);
    close(pipes[1]);
    close(saved);
}

/* every single byte changed, every length cut: never over the edge, never a
 * control byte, always whole JSON */
static void
mutations_never_break_a_line(void **state)
{
    char record[LOG_RECORD_MAX], out[LOG_LINE_MAX];
    struct log_line line;
    size_t len;

    (void)state;
    log_begin(&line, LOG_L_INFO, "done");
    log_text(&line, "cn", "M\xc3\xbcller\n");
    log_int(&line, "in", -812);
    log_send(&line);
    len = (size_t)recv(pair[1], record, sizeof(record), MSG_DONTWAIT);
    for (size_t at = 0; at < len; at++)
        for (int byte = 0; byte < 256; byte++) {
            char saved = record[at];

            record[at] = (char)byte;
            for (int format = LOG_F_LOGFMT; format <= LOG_F_JSON; format++) {
                if (log_render(record, len, (enum log_format)format, 1, 1, out,
                               sizeof(out)) != ERR_OK)
                    continue;
                for (const char *c = out; *c != '\0'; c++)
                    assert_true((unsigned char)*c >= 0x20 && *c != 0x7f);
                assert_true(format == LOG_F_LOGFMT || json_flat(out));
            }
            record[at] = saved;
        }
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(values_are_escaped),
        TEST(long_values_are_cut_between_characters),
        TEST(numbers_stay_numbers),
        TEST(stamps_cannot_be_written_over),
        TEST(broken_records_are_refused),
        TEST(a_false_number_is_text),
        TEST(any_room_is_enough_or_said),
        TEST(what_does_not_fit_is_marked),
        TEST(times_are_right),
        TEST(levels_decide_what_is_sent),
        TEST(lost_lines_are_counted),
        TEST(a_dead_logger_harms_nobody),
        TEST(without_logger_lines_go_to_stderr),
        TEST(mutations_never_break_a_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

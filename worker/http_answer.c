/*
 * http_answer.c - answers of our own
 *
 * Owns the words and the head of every answer that no upstream gave, for
 * protocol = tcp (respond.c) and http alike. Pure but for the clock.
 */
#include "worker/http_answer.h"
#include <stdio.h>

const char *
http_phrase(int code)
{
    static const struct {
        int code;
        const char *text;
    } phrases[] = {
        { 200, "OK" },
        { 201, "Created" },
        { 202, "Accepted" },
        { 203, "Non-Authoritative Information" },
        { 204, "No Content" },
        { 205, "Reset Content" },
        { 206, "Partial Content" },
        { 300, "Multiple Choices" },
        { 301, "Moved Permanently" },
        { 302, "Found" },
        { 303, "See Other" },
        { 304, "Not Modified" },
        { 305, "Use Proxy" },
        { 307, "Temporary Redirect" },
        { 308, "Permanent Redirect" },
        { 400, "Bad Request" },
        { 401, "Unauthorized" },
        { 402, "Payment Required" },
        { 403, "Forbidden" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 406, "Not Acceptable" },
        { 407, "Proxy Authentication Required" },
        { 408, "Request Timeout" },
        { 409, "Conflict" },
        { 410, "Gone" },
        { 411, "Length Required" },
        { 412, "Precondition Failed" },
        { 413, "Content Too Large" },
        { 414, "URI Too Long" },
        { 415, "Unsupported Media Type" },
        { 416, "Range Not Satisfiable" },
        { 417, "Expectation Failed" },
        { 421, "Misdirected Request" },
        { 422, "Unprocessable Content" },
        { 426, "Upgrade Required" },
        { 428, "Precondition Required" },
        { 429, "Too Many Requests" },
        { 431, "Request Header Fields Too Large" },
        { 451, "Unavailable For Legal Reasons" },
        { 500, "Internal Server Error" },
        { 501, "Not Implemented" },
        { 502, "Bad Gateway" },
        { 503, "Service Unavailable" },
        { 504, "Gateway Timeout" },
        { 505, "HTTP Version Not Supported" },
        { 511, "Network Authentication Required" },
    };

    for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
        if (phrases[i].code == code)
            return phrases[i].text;
    return "";
}

/* Counted here, because gmtime(3) looks for the time zone's files first, which
 * a worker may not open. */
void
http_date(time_t now, char *out, size_t size)
{
    static const char days[][4] = { "Thu", "Fri", "Sat", "Sun",
                                    "Mon", "Tue", "Wed" };
    static const char months[][4] = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun",
        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
    };
    static const int length[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };
    long long day = now / 86400, second = now % 86400;
    const char *name = days[day % 7];
    int year = 1970, month = 0, leap;

    for (;; year++) {
        leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        if (day < 365 + leap)
            break;
        day -= 365 + leap;
    }
    while (day >= length[month] + (month == 1 ? leap : 0)) {
        day -= length[month] + (month == 1 ? leap : 0);
        month++;
    }
    (void)snprintf(out, size, "%s, %02d %s %04d %02d:%02d:%02d GMT", name,
                   (int)day + 1, months[month], year, (int)(second / 3600),
                   (int)(second / 60 % 60), (int)(second % 60));
}

bool
http_answer_bodiless(int code)
{
    return code < 200 || code == 204 || code == 205 || code == 304;
}

size_t
http_answer_head(int code, size_t body_len, const char *connection, char *out,
                 size_t size)
{
    char date[64], about[128] = "", hop[64] = "";
    int n;

    http_date(time(NULL), date, sizeof(date));
    if (code ==
        205) /* RFC 9110 15.3.6: no content, and a length that says so */
        (void)snprintf(about, sizeof(about), "Content-Length: 0\r\n");
    else if (!http_answer_bodiless(code))
        (void)snprintf(about, sizeof(about),
                       "Content-Type: text/plain; charset=utf-8\r\n"
                       "Content-Length: %zu\r\n",
                       body_len);
    if (connection != NULL)
        (void)snprintf(hop, sizeof(hop), "Connection: %s\r\n", connection);
    n = snprintf(out, size, "HTTP/1.1 %03d %s\r\nDate: %s\r\n%s%s\r\n", code,
                 http_phrase(code), date, about, hop);
    return n < 0 ? 0 : (size_t)n;
}

"""recipes.py - the two nginx recipes as they are published, with holes for paths and ports"""

# "Implementing Mutual TLS Authentication with Nginx": the server block.
SERVER = """\
    server {{
        listen 127.0.0.1:{port} ssl;

        ssl_certificate {pki}/server.crt;
        ssl_certificate_key {pki}/server.key;

        # Require client certificate verification
        ssl_client_certificate {pki}/root.crt;
        ssl_verify_client on;

        ssl_protocols TLSv1.2 TLSv1.3;
{more}
        location / {{
            {does}
        }}
    }}
"""

# The same, "as an SSL proxy".
PROXY = """\
        location {path} {{
            proxy_pass https://localhost:{to};

            # Client side authentication credentials
            proxy_ssl_certificate {pki}/{client}.crt;
            proxy_ssl_certificate_key {pki}/{client}.key;

            # Trusted CA for verifying the upstream server's certificate
            proxy_ssl_trusted_certificate {pki}/root.crt;
            proxy_ssl_verify on;
            proxy_ssl_server_name on;

            proxy_set_header Host $host;
            proxy_set_header X-Real-IP $remote_addr;
        }}
"""

# "Using Mutual TLS on the Client Side with Nginx (Reverse Proxy)".
UPSTREAM = """\
        location {path} {{
            proxy_pass                https://localhost:{to};
            proxy_ssl_certificate     {pki}/{client}.crt;
            proxy_ssl_certificate_key {pki}/{client}.key;
            proxy_ssl_protocols       TLSv1.2 TLSv1.3;
            proxy_ssl_ciphers         HIGH:!aNULL:!MD5;
            proxy_ssl_trusted_certificate {pki}/root.crt;
            proxy_ssl_verify              on;
            proxy_ssl_verify_depth        {depth};
        }}
"""

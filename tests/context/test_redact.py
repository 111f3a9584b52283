"""No secret stays in a text; everything else does."""

from __future__ import annotations

import ast
import json
import random
import re
import string
from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from repofill.context.index import WorkspaceIndex
from repofill.context.redact import REDACTED, redact

HEX, LOWER, UPPER = "0123456789abcdef", string.ascii_lowercase + string.digits, string.ascii_uppercase + string.digits
ALPHABETS = {
    "h": HEX,
    "l": LOWER,
    "u": UPPER,
    "d": string.digits,
    "a": string.ascii_letters + string.digits,
    "w": string.ascii_letters + string.digits + "_-",
    "b": string.ascii_letters + string.digits + "+/",
    "m": string.ascii_letters,
}


def made(shape: str, seed: int = 0) -> str:
    """A secret that was never anyone's. `{h32}` are 32 random characters of the alphabet `h`; `|` is left out: it keeps
    scanners from taking this file's prefixes for tokens."""
    chosen = random.Random(f"{shape} {seed}")
    return re.sub(
        r"\{(\w)(\d+)\}",
        lambda part: "".join(chosen.choices(ALPHABETS[part[1]], k=int(part[2]))),
        shape.replace("|", ""),
    )


def check(form: str, *secrets: str) -> None:
    """In `form`, among other code, each § stands for the next one of `secrets`; exactly these are gone afterwards."""
    before, after = "import os\n\n\ndef main():\n    ", "\n\nprint(os.getcwd())\n"
    secret = iter(secrets)
    text = before + re.sub("§", lambda _: next(secret), form) + after
    assert next(secret, None) is None
    assert redact(text) == before + form.replace("§", REDACTED) + after


def stays(text: str) -> None:
    assert redact(text) is text


TOKENS = {
    "age": "AGE-SECRET|-KEY-1{u58}",
    "airtable": "p|at{a14}.{h64}",
    "alibaba": "LT|AI{a20}",
    "anthropic": "sk-|ant-api03-{w93}AA",
    "artifactory": "AK|Cp{a69}",
    "asana": "1/{d16}|:{h32}",
    "atlassian": "AT|ATT3xFfGF0{w180}",
    "aws access key": "AK|IA{u16}",
    "aws bedrock": "AB|SK{b128}",
    "aws temporary access key": "AS|IA{u16}",
    "azure client secret": "{a3}8|Q~{a34}",
    "bitbucket": "AT|BB{a32}",
    "braintree": "access_|token$production$§{l16}${h32}",
    "buildkite": "bk|ua_{h40}",
    "circleci": "CCI|PAT_{a22}_{h40}",
    "clojars": "CLO|JARS_{h60}",
    "cloudflare": "cf|ut_{a40}{h8}",
    "contentful": "CF|PAT-{w43}",
    "crates.io": "c|io{a32}",
    "databricks": "da|pi{h32}",
    "digitalocean": "do|p_v1_{h64}",
    "discord bot": "MTA1|NzE4MzQ2NTI4OTE3MTIz.{w6}.{w38}",
    "docker": "dckr|_pat_{w27}",
    "doppler": "dp.|pt.{a43}",
    "dropbox": "s|l.{w135}",
    "dynatrace": "dt0|c01.{u24}.§{u64}",
    "facebook": "E|AA{a180}",
    "figma": "fi|gd_{w40}",
    "github app": "gh|s_{a36}",
    "github app, new format": "gh|s_{d8}_{w40}.{w120}.{w80}",
    "github classic": "gh|p_{a36}",
    "github fine-grained": "github|_pat_{a22}_{a59}",
    "github oauth": "gh|o_{a36}",
    "gitlab": "gl|pat-{w20}",
    "gitlab deploy": "gl|dt-{w20}",
    "gitlab runner": "gl|rt-{w20}",
    "gitlab runner registration": "GR1|348941{w20}",
    "google api key": "AI|za{w35}",
    "google oauth secret": "GOC|SPX-{w28}",
    "google oauth token": "ya|29.{w120}",
    "google refresh token": "1/|/0{w60}",
    "grafana": "gl|sa_{a32}_{h8}",
    "grafana cloud": "gl|c_{a80}=",
    "groq": "gs|k_{a52}",
    "heroku": "HR|KU-{h8}-{h4}-{h4}-{h4}-{h12}",
    "hubspot": "pat-|na1-{h8}-{h4}-{h4}-{h4}-{h12}",
    "huggingface": "h|f_{m34}",
    "json web token": "ey|JhbGciOiJIUzI1NiJ9.eyJ{w60}.{w43}",
    "langsmith": "ls|v2_pt_{h32}_{h10}",
    "linear": "lin|_api_{a40}",
    "mailchimp": "{h32}|-us12",
    "mailgun": "ke|y-{h32}",
    "mapbox": "s|k.eyJ{w70}.{w22}",
    "netlify": "nf|p_{a36}",
    "new relic": "NR|AK-{u27}",
    "notion": "nt|n_{d11}{a35}",
    "notion, legacy": "secret|_{a43}",
    "npm": "np|m_{a36}",
    "nuget": "oy|2{l43}",
    "onepassword": "op|s_ey{b240}fQ==",
    "openai": "s|k-{a20}T3Blbk|FJ{a20}",
    "openai project": "s|k-proj-{w74}T3Blbk|FJ{w74}",
    "openrouter": "s|k-or-v1-{h64}",
    "perplexity": "pp|lx-{a48}",
    "pinecone": "pc|sk_{a68}",
    "planetscale": "pscale|_pw_{w43}",
    "postman": "PM|AK-{h24}-{h34}",
    "private key in base64": "LS0tLS1|CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQ{b900}==",
    "pulumi": "pu|l-{h40}",
    "pypi": "py|pi-AgEIcHlwaS5vcmc{w150}",
    "razorpay": "rz|p_live_{a14}",
    "replicate": "r|8_{a37}",
    "resend": "r|e_{a8}_{a24}",
    "rubygems": "ruby|gems_{h48}",
    "sendgrid": "S|G.{w22}.{w43}",
    "sendinblue": "xkey|sib-{h64}-{a16}",
    "sentry": "sntr|ys_ey{a120}_{a43}",
    "shopify": "sh|pat_{h32}",
    "slack app": "xa|pp-1-{u11}-{d13}-{h64}",
    "slack bot": "xo|xb-{d12}-{d13}-{a24}",
    "slack user": "xo|xp-{d12}-{d12}-{d13}-{h32}",
    "slack webhook": "https://hooks.|slack.com/services/§T{u10}/B{u10}/{a24}",
    "square": "sq0|csp-{w43}",
    "stripe": "s|k_live_{a24}",
    "stripe restricted": "r|k_live_{a99}",
    "stripe test": "s|k_test_{a24}",
    "stripe webhook": "wh|sec_{a32}",
    "supabase": "sb|p_{h40}",
    "tailscale": "ts|key-auth-{a12}CNTRL-{a32}",
    "telegram bot": "{d10}|:AA{w33}",
    "tencent": "AK|ID{a32}",
    "terraform cloud": "{a14}|.atlasv1.{w67}",
    "twilio": "S|K{h32}",
    "typeform": "tf|p_{w44}",
    "url signature": "https://a.blob.core.windows.net/c/b?sv=2022&si|g=§{a43}%3D",
    "vault": "hv|s.{w95}",
    "vercel": "vc|p_{a56}",
    "xai": "xa|i-{a80}",
    "discord webhook": "https://disc|ord.com/api/webhooks/{d18}/§{w68}",
    "fly.io": "fm|2_{b300}",
    "neon": "np|g_{a24}",
    "readme": "rd|me_{l70}",
    "sourcegraph": "sg|p_{h16}_{h40}",
    "teams webhook": "https://a.web|hook.office.com/webhookb2/§{h8}-{h4}-{h4}-{h4}-{h12}@{h8}-{h4}-{h4}-{h4}-{h12}/Incoming|Webhook/{h32}/{h8}-{h4}-{h4}-{h4}-{h12}",
    "twitter bearer": "AAAAAAAAAAAA|AAAAAAAAA{a12}%2B{a40}%3D{a40}",
    "yandex": "AQ|VN{w35}",
    "another service": "acme|_live_{a32}",
}
PLACES = [
    'client = Client("§")',
    "client = new Client('§');",
    "# it works with § only",
    '{"a": ["§"]}',
    "curl https://example.com/v1?x=§&y=2",
    'text = "first line\\n§\\nlast line"',
    "- §",
    "<a>§</a>",
]


@pytest.mark.parametrize("name", TOKENS)
def test_tokens(name: str) -> None:
    """A format that a service gave its tokens is enough, wherever one stands."""
    for seed, place in enumerate(PLACES):
        known, _, secret = made(TOKENS[name], seed).rpartition("§")
        check(place.replace("§", f"{known}§"), secret)


HUMAN = "hun" + "ter2"
RANDOM = made("{a32}")
NAMED = [
    # of a person's making
    ('password = "§"', HUMAN),
    ("password = '§'", "P@ssw" + "0rd!"),
    ('PASSWORD: Final[str] = "§"', HUMAN),
    ('self._db_password = f"§"', "s3cr3t" + "99"),
    ('connect(host="db1", user="me", passwd="§")', HUMAN),
    ('connect(user="me", password="§", host="db1.internal")', "Tr0ub4" + "dor&3"),
    ('"password": "§",', HUMAN),
    ("'db_password' => '§',", HUMAN),
    ('["password"] = "§"', HUMAN),
    ('os.environ["DB_PASSWORD"] = "§"', HUMAN),
    ('os.environ.get("DB_PASSWORD", "§")', HUMAN),
    ("define('DB_PASSWORD', '§');", HUMAN),
    ('password := "§"', HUMAN),
    ('var password string = "§"', HUMAN),
    ('const password: &str = "§";', HUMAN),
    ("const DB_PASS: string = `§`;", HUMAN),
    ('val password: String = "§"', HUMAN),
    ('char password[25] = "§";', HUMAN),
    ('NSString *password = @"§";', HUMAN),
    ('if (password === "§") {', HUMAN),
    ('setPassword("§");', HUMAN),
    ('.withPassphrase("§")', HUMAN),
    ("password: '§'", HUMAN),
    ("CREATE USER app WITH PASSWORD '§';", HUMAN),
    ("export DB_PASSWORD=§", HUMAN),
    ("DB_PASSWORD=§ ./run.sh", HUMAN),
    ("ENV MYSQL_ROOT_PASSWORD=§", HUMAN),
    ("mysqldump --user=app --password=§ shop", HUMAN),
    ("tool --password § run", HUMAN),
    ('curl -u "admin:§" https://example.com', HUMAN),
    ("curl --user admin:§ https://example.com", HUMAN),
    ("<password>§</password>", HUMAN),
    ('<add key="DbPassword" value="§" />', HUMAN),
    ('"Server=db;User Id=sa;Password=§;Encrypt=yes"', HUMAN),
    ('"host=db user=app password=§ dbname=shop"', HUMAN),
    ('dsn = "mysql:host=db;pwd=§"', HUMAN),
    ('"Server=db;Uid=sa;Pwd=§;Encrypt=yes"', "hun&t" + "er(2)"),
    ('"Server=db;Password=§"', "hun&" + "ter2"),
    ('"Password=§ ;Server=db"', "hun&" + "ter2"),
    ('connectionString="Server=db;Password=§;Encrypt=yes"', "hun&amp;" + "ter2"),
    ("mysql -u root -p§ shop", HUMAN),
    ("/usr/bin/mariadb-dump --user=me \\\n  -p'§' shop | gzip", "hun|t" + "er(2)"),
    ('run(["mysqldump", "-uapp", "-p§", "shop"])', "correct" + "horse"),
    ('let pw = "§"', HUMAN),
    ('password = "§"', "correct horse " + "battery staple"),
    ('password = "§"', "Correct Horse " + "Battery Staple"),
    ('if password == "§":', "correct-horse " + "battery-staple"),
    ('auth_password: "§"', "open " + "sesame"),
    ("'passphrase' => '§',", "my dog " + "Rex2019"),
    ('ldap_bind_pw: "§"', HUMAN),
    ('json = "{\\"password\\": \\"§\\"}"', HUMAN),
    ('requests.get(url, auth=("admin", "§"))', HUMAN),
    ("HTTPBasicAuth('admin', '§')", HUMAN),
    ('smtp.login("me@example.com", "§")', HUMAN),
    ("smtp.login(sender, '§')", HUMAN),
    ('password = SecretStr("§")', RANDOM),
    ('client_secret = "§"', "pässw" + "0rd-of-ours"),
    ("SECRET_KEY = '§'", "django-insecure-#k2" + "^w)1v@4u$h7_x&q9z8-0b3n6m5t!j(e"),
    ("app.secret_key = b'§'", r"_5#y2L\"F4Q8z\n\xec]/"),
    ("key_secret = b'§'", "".join(f"\\x{byte:02x}" for byte in random.Random(1).randbytes(16))),
    # of a machine's making
    ('token = "§"', RANDOM),
    ('API_KEY = "§"', made("{h32}")),
    ("apiKey: '§',", RANDOM),
    ('api_key="§"', made("{h40}")),
    ('"x-api-key": "§"', RANDOM),
    ('const accessToken = "§";', made("{w64}")),
    ("AWS_SECRET_ACCESS_KEY=§", made("{b40}")),
    ('aws_secret_access_key = "§"', made("{b40}")),
    ('aws_session_token = "§"', made("{b600}==")),
    ('"DefaultEndpointsProtocol=https;AccountName=a;AccountKey=§;EndpointSuffix=x"', made("{b86}==")),
    ('"Endpoint=sb://a.example.net/;SharedAccessKeyName=all;SharedAccessKey=§"', made("{b43}=")),
    ('HEROKU_API_KEY = "§"', made("{h8}-{h4}-4{h3}-a{h3}-{h12}")),
    ("api_key: §", RANDOM),
    ("auth_token=§", RANDOM),
    ("# token: §", RANDOM),
    ('os.getenv("SLACK_TOKEN", "§")', RANDOM),
    ('encryption_key = bytes.fromhex("§")', made("{h64}")),
    ('ENCRYPTION_KEY = "§"', made("{h64}")),
    ("//registry.example.com/:_authToken=§", made("{h8}-{h4}-4{h3}-a{h3}-{h12}")),
    ('_auth = "§"', made("{b40}")),
    ('headers = {"Authorization": "Bearer §"}', RANDOM),
    ('headers = {"Authorization": "token §"}', made("{h40}")),
    ("curl -H 'Authorization: Bearer §' https://example.com", RANDOM),
    ("curl -H 'X-Api-Key: §' https://example.com", RANDOM),
    ('headers["Authorization"] = "Basic §"', b64encode(f"admin:{HUMAN}".encode()).decode()),
    ("Authorization: Basic §", b64encode(f"service:{RANDOM}".encode()).decode()),
    ('fetch("https://example.com/v1?api_key=§&page=2")', RANDOM),
    ('"cookieSecret": "§"', RANDOM),
    ("credentials = '§'", RANDOM),
    ('{"kty": "OKP", "d": "§", "x": "public"}', made("{w43}")),
]


@pytest.mark.parametrize(("form", "secret"), NAMED, ids=[form for form, _ in NAMED])
def test_named(form: str, secret: str) -> None:
    check(form, secret)


URLS = [
    ("postgres://app:§@db.example.com:5432/shop", HUMAN),
    ("DATABASE_URL = 'postgresql+psycopg://app:§@db/shop'", "correct" + "horse"),
    ("mongodb+srv://app:§@cluster0.example.net/?retryWrites=true", HUMAN),
    ("redis://:§@cache:6379/0", HUMAN),
    ("amqp://app:§@mq//", HUMAN),
    ("jdbc:mysql://app:§@db:3306/shop", HUMAN),
    ("https://me:§@github.com/me/it.git", HUMAN),
    ("ftp://app:§@[::1]/", "p%40ss" + "w1"),
    ("https://§@github.com/me/it.git", made("gh|p_{a36}")),
    ("smtp://app:§@{host}:25", HUMAN),
]


@pytest.mark.parametrize(("form", "secret"), URLS, ids=[form for form, _ in URLS])
def test_urls(form: str, secret: str) -> None:
    check(f'url = "{form}"', secret)
    check(f"url: {form}", secret)


def test_more_than_one() -> None:
    check('API_KEYS = [\n    "§",\n    "§",\n    "other",\n]', made("{h32}"), made("{a32}"))
    check('TOKEN = (\n    "§"\n    "§"\n)', made("{h32}"), made("{a32}"))
    check('token = "§" + x + "§"', made("{h32}"), made("gh|p_{a36}"))
    check("user, password = 'me', '§'", made("gh|p_{a36}"))
    check('Session("§", "§")', made("AK|IA{u16}"), made("{b40}"))


KEY = [made("{b64}", line).replace("+", "0").replace("/", "1") for line in range(12)]
LAST_LINE = made("{a22}") + "=="
KEY_KINDS = ["RSA ", "EC ", "DSA ", "OPENSSH ", "ENCRYPTED ", ""]


def pem(kind: str, *lines: str, separator: str = "\n", header: str = "", tail: str = "KEY-----") -> str:
    dashes = "-" * 5
    return separator.join(
        [
            f"{dashes}BEGIN {kind}PRIVATE {tail}",
            *([header] if header else []),
            *lines,
            f"{dashes}END {kind}PRIVATE {tail}",
        ]
    )


@pytest.mark.parametrize("kind", KEY_KINDS)
def test_private_keys(kind: str) -> None:
    """Every line of a key, as a file holds it and as the languages write it."""
    hidden = ["§"] * (len(KEY) + 1)
    for form in (
        pem(kind, *hidden),
        f'"""\n{pem(kind, *hidden)}\n"""',
        f'"{pem(kind, *hidden, separator=chr(92) + "n")}"',
        "'" + pem(kind, *hidden, separator="\\n' +\n      '") + "'",
        '"' + pem(kind, *hidden, separator='\\n"\n    "') + '"',
        "# " + pem(kind, *hidden, separator="\n    # "),
        " * " + pem(kind, *hidden, separator="\r\n * "),
        pem(kind, *hidden, header="Proc-Type: 4,ENCRYPTED\nDEK-Info: DES-EDE3-CBC,3F17F5316E2BAC89\n"),
        pem("PGP ", *hidden, header="Version: GnuPG v2\n", tail="KEY BLOCK-----"),
        f"-----BEGIN {kind}PRIVATE KEY-----\n" + "\n".join(hidden[1:]) + "\n",  # its end is somewhere else
    ):
        check(form, *[*KEY, LAST_LINE][: form.count("§")])


STAYS = [
    'password = "password"',
    '"Server=db;Password={0}&{1};Encrypt=yes"',
    '"Server=db;Password=yourStrong(!)Password;Encrypt=yes"',
    '"Server=db;Password=" + pw1 + ";"',
    'x = "";y = e;password=a&&b1;z=2',
    'a = "x=1"; if (pwd=x1&y2) {}',
    "mysql -p -u root",
    "mysql -uroot -p${PASS_1} -p$PASS1",
    "mysql -uroot -proot",
    "mysql -uroot -p' . $password1 . ' shop",
    'f"mysqldump -u{user1} -p{password1}"',
    "docker run --name mysql -p3306:3306 mysql",
    "find /var/lib/mysql -print -path x",
    'password = "test"',
    'password = "changeme"',
    'password = "<your password>"',
    'password = "your-password-here"',
    'password = "xxxxxxxx"',
    'password = "********"',
    'password = "12345678"',
    'password = ""',
    "password = None",
    "password = getpass()",
    'password = getpass("Password: ")',
    "password = config.password2",
    'password = os.environ["DB_PASSWORD"]',
    'password = os.environ.get("DB_PASSWORD2")',
    'password = f"{prefix}{word1}"',
    'password = "${DB_PASSWORD}"',
    'password = "{{ db_password1 }}"',
    'password = "%(password1)s"',
    'password = "$PASSWORD_2"',
    "password: str = field(default='')",
    "password: string;",
    "password: Uint8Array",
    'SECRET_ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-a1B2c3"',
    'passwd_file = "/srv2/etc/passwd1"',
    "'password' => 'required|string|min:8|confirmed',",
    'PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]',
    'password_label = "Enter your password"',
    'password_prompt = "type it here slowly"',
    'password_placeholder = "minimum eight signs"',
    'password_title = "Keep Strangers Outside Forever"',
    'password: "Account Security Settings"',
    'password: "Forgot Your Old Password Again"',
    'password = "Old and New Ones Differ"',
    'PASSWORD_RESET_TEXT = "click here and follow the links"',
    'password: "new password"',
    '"password": "must not be blank"',
    "password: 'Old and new ones differ.',",
    'errors.password = "at least eight letters and 1digit"',
    'validate("password", "open sesame")',
    'the password "lives elsewhere now"',
    'PASSWORD_RESET_TEMPLATE = "registration/password_reset_v2.html"',
    'password_regex = r"^(?=.*[a-z])(?=.*[0-9]).{8,}$"',
    'PASSWORD_CHARS = "abcdefghijklmnopqrstuvwxyz0123456789"',
    'fields = ("username", "password1", "password2")',
    '<input type="password" name="password1" value="">',
    "def check(password, user1=None, other2=None):",
    "if x:\n    pass\nname = 'model-v3b'",
    "token = get_token()",
    "token = next(tokens)",
    'TOKEN_TYPE = "bearer"',
    'token = "identifier"',
    'token_url = "https://example.com/oauth2/v2/token"',
    'SECRET_NAME = "projects/shop/secrets/db-password"',
    'tokenizer = "cl100k_base_v2_2024_03"',
    'key = "content-type"',
    'primary_key = "a3f8e2d1c9b7465f8e0d"',
    'cache_key = "user:1:v2"',
    'public_key = "' + made("{b80}") + '"',
    'assemblyIdentity publicKeyToken="' + made("{h16}") + '"',
    'api_key = "YOUR_API_KEY_HERE"',
    "PASSWORD_ENV = 'KRB5_PASSWORD'",
    "{TOKEN_TYPE_V1: GRANT_TYPE_SAML1_1, TOKEN_TYPE_V2: GRANT_TYPE_SAML2}",
    'secret = "your-256-bit-secret"',
    '"PasswordLastUsed": "2016-09-08T21:47:36Z"',
    'this.reject(u(this.auth,"popup-closed-by-user"))},8e3):this.pollId=window.setTimeout(e)',
    "login(request, user1)",
    'api_key = "test-api-key-1"',
    'api_key="sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"',
    'API_KEY_HEADER = "X-Api-Key-Version2"',
    "apiKey: process.env.API_KEY_V2,",
    'secret: "0123456789abcdef0123456789abcdef"',
    'auth = "django.contrib.auth.backends.ModelBackend2"',
    "Authorization: Basic authentication",
    '"Authorization": f"Bearer {token1}"',
    '"Authorization": "Bearer <token>"',
    "basic support for languages",
    "http://localhost:8080/a@b",
    "https://example.com/a:b@c",
    "https://user:pass@example.com",
    "https://user:password@example.com",
    "postgres://postgres:postgres@localhost/db",
    "amqp://guest:guest@localhost",
    "https://{user}:{password}@example.com",
    "https://$USER:$PASS@example.com",
    "git@github.com:owner/repository.git",
    "https://example.com/very/long/path/with-many-words/and_numbers_12345678901234567890",
    "id = '123e4567-e89b-12d3-a456-426614174000'",
    "sha256 = '" + made("{h64}") + "'",
    "integrity: sha512-" + made("{b86}") + "==",
    "image = 'data:image/png;base64,iVBORw0KGgo" + made("{b400}") + "'",
    "commit " + made("{h40}"),
    "a_rather_long_identifier_with_words_and_2_numbers_11 = AnotherLongIdentifierWithVersion2Inside()",
    "-" * 100,
    "=" * 100,
    "# " + "A" * 100,
    'MARKER = "-----BEGIN ' + "PRIVATE " + 'KEY-----"\nif MARKER in text:\n    raise ValueError("no keys")',
    "-----BEGIN " + "PUBLIC KEY-----\n" + "\n".join(KEY) + "\n-----END PUBLIC KEY-----",
    "-----BEGIN CERTIFICATE-----\n" + "\n".join(KEY) + "\n-----END CERTIFICATE-----",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + made("{b43}") + " me@example.com",
    "eyJust.a.name",
    "xoxb-" + "your-token",
    "İstanbul ŞİFRE = 'değer'",
    "",
]


@pytest.mark.parametrize("text", STAYS)
def test_stays(text: str) -> None:
    stays(text)


def test_a_long_base64_text_stays() -> None:
    stays("DATA = '" + made("{b20000}") + "'\n")


def test_it_still_parses() -> None:
    program = f"""password = "{HUMAN}"\nf(token=b'{RANDOM}', x=r"{RANDOM}")\nKEY = '''{pem("RSA ", *KEY)}'''\n"""
    assert ast.dump(ast.parse(redact(program))).count(REDACTED) == 2 + len(KEY)
    assert json.loads(redact(json.dumps({"password": HUMAN, "token": RANDOM, "a": "1"}))) == {
        "password": REDACTED,
        "token": REDACTED,
        "a": "1",
    }


PIECES = [
    *"\n\t \r\"'`=:,;()[]{}<>@/\\#$%.-_",
    *[
        "\\n",
        "://",
        "password",
        "token",
        "api_key",
        "Authorization: Bearer ",
        "Basic ",
        "secret",
        "é",
        "\u2028",
        "\x85",
        "\ud800",
    ],
    *["-----BEGIN RSA PRI" + "VATE KEY-----", "-----END RSA PRI" + "VATE KEY-----", KEY[0], KEY[1], LAST_LINE],
    *[HUMAN, RANDOM, REDACTED, "user", "changeme", "ey" + "JhbGciOiJIUzI1NiJ9", "x" * 20],
    *[made(TOKENS[name].replace("§", "")) for name in ("github classic", "slack webhook", "aws access key", "openai")],
]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=40).map("".join))
def test_properties(text: str) -> None:
    """Once is enough, no line is lost or won, and what has no secret is the same object."""
    redacted = redact(text)
    assert redact(redacted) is redacted
    assert len(redacted.splitlines()) == len(text.splitlines())
    assert (redacted is text) == (redacted == text)
    kept = [re.escape(part) for part in redacted.split(REDACTED)]
    assert re.fullmatch("(?s:.+?)".join(kept), text)


@given(st.sampled_from(sorted(TOKENS)), st.integers(), st.text(max_size=20), st.text(max_size=20))
@example("another service", -15_392_712_660_453_896_192, "", "")  # no digits
@example("huggingface", 95, "", "")  # nor many changes of case
def test_a_token_does_not_depend_on_its_surroundings(name: str, seed: int, before: str, after: str) -> None:
    known, _, secret = made(TOKENS[name], seed).rpartition("§")
    assert secret not in redact(f'{before} "{known}{secret}" {after}')


def test_planted_secrets_reach_no_prompt(tmp_path: Path) -> None:
    """Two hundred of them, in texts and in files: none is shown to another file, none is copied from."""
    planted = []
    for name, shape in TOKENS.items():
        known, _, secret = made(shape).rpartition("§")
        planted.append((name, f"client = Client('{known}§')", secret))
    planted += [(form, form, secret) for form, secret in NAMED]
    modules = {
        f"m{number}.py": f"def use{number}():\n    {form.replace('§', secret)}\n    return {number}\n"
        for number, (_, form, secret) in enumerate(planted)
    }
    hidden = [".env", "prod.env", "id_rsa.py", "secrets.py", ".aws/config.toml", "key.pem", "credentials.py", ".npmrc"]
    for number, name in enumerate(hidden):
        for copy in range(5):
            modules[f"d{copy}/{name}"] = f"value{number} = '{(secret := made('{a32}', number * 10 + copy))}'\n"
            planted.append((name, "§", secret))
    main = "".join(f"import m{number}\n" for number in range(len(modules)))
    for path, text in {**modules, "main.py": main}.items():
        (tmp_path / path).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / path).write_text(text, "utf-8")
    index = WorkspaceIndex(tmp_path)
    index.build()
    assert len(planted) >= 200
    prompts = []
    for number in range(0, len(modules), 5):
        calls = "".join(f"m{n}.use{n}()\n" for n in range(number, number + 5))
        prompts += [chosen.text for chosen in index.plan("main.py", main + calls, "", 30_000)]
    prompts += [c.text for _, form, _ in planted for c in index.copy_candidates("main.py", form.partition("§")[0], "")]
    everything = "\n".join(prompts)
    assert "def use7" in everything
    assert [name for name, _, secret in planted if len(secret) > 5 and secret in everything] == []

"""Secrets in grammars of their own: SQL, .netrc, servers' directives; calls that take a user with one."""

from __future__ import annotations

from til.redaction.forms import BARE, EITHER, END, LITERAL, QUOTED, Form, Forms
from til.redaction.judge import gives_away, no_word, strange

GAP = rf"(?:[ \t]+|{END})"
LINE = r"(?m:^)[+-]?[ \t]*"
TEXT = r"""(?:"[^"\n]*"|'[^'\n]*'|[^,()"'\n]*)"""
"""An argument that is no secret."""
NEXT = r"[ \t]*,[ \t]*"

DIRECTIVES = Forms(
    [
        Form(
            rf"{LINE}(?:requirepass|masterauth|bindpw|rootpw(?:[ \t]+--plaintext)?|wpa-psk|wpa-passphrase"
            r"|pre-shared-key|key-string|sentinel[ \t]+auth-pass[ \t]+\S+|snmp-server[ \t]+community"
            r"|(?:enable|line)[ \t]+(?:password|secret)(?:[ \t]+\d)?"
            r"|(?:tacacs|radius)-server[ \t]+key(?:[ \t]+\d)?"
            rf"|crypto[ \t]+isakmp[ \t]+key(?:[ \t]+\d)?)[ \t]+{EITHER}",
            no_word,
        ),
        Form(
            rf"{LINE}(?:user(?:name)?|neighbor)[ \t]+\S+[ \t]+(?:privilege[ \t]+\d+[ \t]+)?(?:insecure-)?"
            rf"(?:password|secret)(?:[ \t]+\d)?[ \t]+{EITHER}",
            strange,
        ),
        Form(rf"{LINE}stats[ \t]+auth[ \t]+[\w.-]+:{BARE}", no_word),
        Form(rf"{LINE}user[ \t]+\S+[ \t]+on[ \t][^\n]*?>{BARE}", no_word),
        Form(rf"""\b(?:PSK|XAUTH|EAP)[ \t]+{LITERAL}""", no_word),
        Form(rf"""{LINE}[\w."-]+[ \t]+[\w*."-]+[ \t]+"([^"\s]{{6,}})"[ \t]+[*\d."]+(?m:$)""", no_word),
        Form(
            rf"(?:machine{GAP}\S+|default){GAP}login{GAP}\S+(?:{GAP}account{GAP}\S+)?{GAP}password{GAP}(\S{{6,}})",
            no_word,
        ),
        Form(rf"{LINE}login[ \t]+\S+{END}password[ \t]+(\S{{6,}})", no_word),
        Form(rf"{LINE}[\w.*-]+:(?:[56]4\d\d|\*):[\w*-]+:[\w*.@-]+:([^\s:]{{6,}})(?:\s|$)", no_word),
        Form(rf"chpasswd:(?:{END}[^\n]*)?{END}list:[ \t]*\|?{END}(?:-[ \t])?[\w-]+:(\S{{6,}})", no_word),
        Form(rf"\bpasswd/[\w-]+-password(?:-again)?[ \t]+password[ \t]+{BARE}", no_word),
    ]
)
QUERIES = Forms(
    [
        Form(
            r"(?i:\bIDENTIFIED(?:[ \t]+WITH[ \t]+[\"'`]?\w+[\"'`]?)?[ \t]+BY(?:[ \t]+PASSWORD)?)"
            rf"[ \t]+{EITHER}",
            gives_away,
        ),
        Form(rf"(?i:\b(?:ROLE|USER|LOGIN)\b[^\n;]*?\bPASSWORD[ \t]*=?[ \t]*)N?{LITERAL}", gives_away),
        Form(r"""[\w.-]+:([^\s:@/"'`$%{}<>]{6,})@(?:tcp|unix|cloudsql)\(""", gives_away),
        Form(r"""\boracle:(?:thin|oci8?):[\w.]+/([^\s@"'$]{6,})@""", gives_away),
    ]
)
USERS = Forms(
    [
        Form(
            rf"(?:PasswordAuthentication|UsernamePasswordCredentials|NetworkCredential|HTTP(?:Basic|Digest)Auth"
            rf"|[bB]asic_?[aA]uth|BasicAuthentication|BasicCredentials?|AuthTokens\.basic|auth\.basic)"
            rf"[( ][ \t]*{TEXT}{NEXT}{QUOTED}",
            gives_away,
        ),
        Form(rf"\bauth[ \t]*[=:][ \t]*[(\[][ \t]*{TEXT}{NEXT}{QUOTED}", gives_away),
        Form(rf"\w*AWSCredentials(?:\.create)?\([ \t]*{TEXT}{NEXT}{QUOTED}", gives_away, name="secret"),
        Form(rf"\.(?:log_?[iI]n|Login|[aA]uthenticate)\([ \t]*{TEXT}{NEXT}{QUOTED}", no_word),
        Form(
            rf"(?:PlainAuth|mysqli?_connect|new[ \t]+mysqli|new[ \t]+PDO|DriverManager\.getConnection)"
            rf"\([ \t]*{TEXT}{NEXT}{TEXT}{NEXT}{QUOTED}",
            gives_away,
        ),
        Form(rf"(?i:ConvertTo-SecureString)[ \t]+(?:-\w+[ \t]+)*{LITERAL}", gives_away),
        Form(
            rf"(?i:\bjwt)\.(?:sign|verify|encode|decode)\([ \t]*(?:\{{[^}}\n]*\}}|{TEXT}){NEXT}{QUOTED}",
            name="secret",
        ),
        Form(rf"(?:create(?:Hmac|Cipheriv|Decipheriv))\([ \t]*{TEXT}{NEXT}{QUOTED}", name="secret"),
        Form(rf"\bhash_hmac\([ \t]*{TEXT}{NEXT}{TEXT}{NEXT}{QUOTED}", name="secret"),
        Form(rf"\bhmac\.New\([ \t]*{TEXT}{NEXT}\[\]byte\({QUOTED}", name="secret"),
        Form(
            rf"(?:\bhmac\.new|SecretKeySpec|\bFernet|hmacShaKeyFor|SymmetricSecurityKey|cookieParser|NewCookieStore"
            rf"|\bAES\.new)\([ \t]*(?:[\w.\[\]]+\()?{QUOTED}",
            name="secret",
        ),
    ]
)

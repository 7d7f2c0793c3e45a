"""What RapiDoc, which knows no language but English, writes around the API's description, in the reader's language."""

from __future__ import annotations

from flask_babel import gettext


def interface() -> dict[str, str]:
    """Each text of RapiDoc's that our page shows, as it is there, with what to show instead."""
    return {
        "Expand all": gettext("Expand all"),
        "Collapse all": gettext("Collapse all"),
        "sections": gettext("sections"),
        "License:": gettext("License:"),
        "REQUEST": gettext("REQUEST"),
        "RESPONSE": gettext("RESPONSE"),
        "PATH PARAMETERS": gettext("PATH PARAMETERS"),
        "QUERY-STRING PARAMETERS": gettext("QUERY-STRING PARAMETERS"),
        "REQUEST HEADERS": gettext("REQUEST HEADERS"),
        "REQUEST BODY": gettext("REQUEST BODY"),
        "RESPONSE HEADERS": gettext("RESPONSE HEADERS"),
        "CODE SAMPLES": gettext("CODE SAMPLES"),
        "EXAMPLE": gettext("EXAMPLE"),
        "SCHEMA": gettext("SCHEMA"),
        "FILL EXAMPLE": gettext("FILL EXAMPLE"),
        "CLEAR": gettext("CLEAR"),
        "CLEAR RESPONSE": gettext("CLEAR RESPONSE"),
        "TRY": gettext("TRY"),
        "ADD": gettext("ADD"),
        "REMOVE": gettext("REMOVE"),
        "Copy": gettext("Copy"),
        "Copied": gettext("Copied"),
        "Allowed:": gettext("Allowed:"),
        "Default:": gettext("Default:"),
        "Examples:": gettext("Examples:"),
        "Example:": gettext("Example:"),
        "Pattern:": gettext("Pattern:"),
        "Constraints:": gettext("Constraints:"),
        "API Server": gettext("API Server"),
        "Authentication": gettext("Authentication"),
        "Not Required": gettext("Not Required"),
        "Required scopes:": gettext("Required scopes:"),
        "Response Status:": gettext("Response Status:"),
        "Response Headers": gettext("Response Headers"),
        "Multiline description": gettext("Multiline description"),
        "Single line description": gettext("Single line description"),
        "Field": gettext("Field"),
        "Type": gettext("Type"),
        "Description": gettext("Description"),
        "No example provided": gettext("No example provided"),
        "Schema not found": gettext("Schema not found"),
        "An error occurred:": gettext("An error occurred:"),
    }

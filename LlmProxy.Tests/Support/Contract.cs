using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using NUnit.Framework;

namespace LlmProxy.Tests.Support;

/// <summary>What every error of the proxy's own looks like.</summary>
public static class Contract
{
    private static readonly string[] s_members = ["message", "type", "param", "code"];
    private static readonly int[] s_retried = [408, 429, 502, 503, 504];

    /// <summary>Holds the whole error contract; null as the code: any.</summary>
    public static JsonObject AssertError(RawResponse response, int status, string? code, string? param = null)
    {
        Assert.That(response.Status, Is.EqualTo(status), response.Text);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(response.End, Is.EqualTo(BodyEnd.Whole));
            Assert.That(response.Headers["Content-Type"], Does.StartWith("application/json"));
            Assert.That(response.Headers["Cache-Control"], Is.EqualTo("no-store"));
            Assert.That(response.Headers["x-request-id"], Is.Not.Null.And.Not.Empty);
        }

        AssertRetry(response);
        return AssertErrorBody(response.Text, status, code, param);
    }

    /// <summary>The body alone: all four members, text or JSON null.</summary>
    public static JsonObject AssertErrorBody(string body, int status, string? code, string? param = null)
    {
        JsonObject root = JsonNode.Parse(body)!.AsObject();
        Assert.That(root.Select(m => m.Key), Is.EqualTo(new[] { "error" }), body);
        JsonObject error = root["error"]!.AsObject();
        Assert.That(error.Select(m => m.Key), Is.EquivalentTo(s_members), body);
        string message = (string)error["message"]!;
        using (Assert.EnterMultipleScope())
        {
            Assert.That(message, Is.Not.Empty.And.Length.LessThanOrEqualTo(1024));
            Assert.That(message.Where(char.IsControl), Is.Empty, "control characters in the message");
            Assert.That(message, Does.Not.Contain("http://127.0.0.1").And.Not.Contain("   at "));
            Assert.That(TypesFor(status), Does.Contain(error["type"]?.ToString()), body);
            Assert.That(error["code"]?.ToString(), code is null ? Is.Not.Null.And.Match("^[a-z0-9_]+$") : Is.EqualTo(code), body);
            Assert.That(error["param"] is null || error["param"]!.GetValueKind() == JsonValueKind.String, "param is text or null");
            if (param is not null)
            {
                Assert.That(error["param"]?.ToString(), Is.EqualTo(param));
            }
        }

        return error;
    }

    /// <summary>A stream that ended broken: whole events, the last one an error with that code, no <c>[DONE]</c>, no last chunk.</summary>
    public static JsonObject AssertBroken(RawResponse response, string? code)
    {
        string text = HeartbeatsRemoved(response.Text);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(response.Status, Is.EqualTo(200));
            Assert.That(response.End, Is.EqualTo(BodyEnd.Unterminated), "the end of the connection instead of the last chunk");
            Assert.That(text, Does.EndWith("\n\n"), "whole events only");
            Assert.That(text, Does.Not.Contain("[DONE]"));
        }

        string last = Sse.Data(text).Last();
        JsonObject error = JsonNode.Parse(last)!.AsObject()["error"]!.AsObject();
        if (code is not null)
        {
            Assert.That(error["code"]?.ToString(), Is.EqualTo(code), last);
            Assert.That(error.Select(m => m.Key), Is.EquivalentTo(s_members), last);
        }

        return error;
    }

    /// <summary>A stream that ended whole and holds exactly this.</summary>
    public static void AssertWhole(RawResponse response, string expected)
    {
        using (Assert.EnterMultipleScope())
        {
            Assert.That(response.Status, Is.EqualTo(200), response.Text);
            Assert.That(response.End, Is.EqualTo(BodyEnd.Whole));
            Assert.That(HeartbeatsRemoved(response.Text), Is.EqualTo(expected));
            Assert.That(response.Headers["Content-Type"], Does.StartWith("text/event-stream"));
            Assert.That(response.Headers["Cache-Control"], Is.EqualTo("no-cache"));
            Assert.That(response.Headers["X-Accel-Buffering"], Is.EqualTo("no"));
        }
    }

    public static string HeartbeatsRemoved(string stream) => stream.Replace(": keep-alive\n", "", StringComparison.Ordinal);

    private static void AssertRetry(RawResponse response)
    {
        if (!s_retried.Contains(response.Status))
        {
            return;
        }

        using (Assert.EnterMultipleScope())
        {
            Assert.That(int.Parse(response.Headers["Retry-After"] ?? "-1", CultureInfo.InvariantCulture), Is.InRange(1, 60), "Retry-After");
            if (response.Headers["x-should-retry"] == "false")
            {
                Assert.That(response.Headers["Retry-After"], Is.EqualTo("1"));
            }
            else
            {
                Assert.That(int.Parse(response.Headers["retry-after-ms"] ?? "-1", CultureInfo.InvariantCulture), Is.InRange(0, 60_000), "retry-after-ms");
            }
        }
    }

    private static string[] TypesFor(int status) => status switch
    {
        403 => ["permission_error"],
        429 => ["rate_limit_error", "insufficient_quota"],
        >= 500 => ["server_error"],
        _ => ["invalid_request_error"],
    };
}

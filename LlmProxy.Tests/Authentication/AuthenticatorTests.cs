using System.Security.Claims;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using NUnit.Framework;

namespace LlmProxy.Tests.Authentication;

internal sealed class AuthenticatorTests
{
    private const string A = "key-of-a-0123456789";
    private const string B = "key-of-b-0123456789";

    [TestCase("Authorization", "Bearer " + A)]
    [TestCase("Authorization", "bearer   " + A)]
    [TestCase("x-llmproxy-key", A)]
    [TestCase("X-API-Key", A)]
    [TestCase("api-key", A + " ")]
    [TestCase("x-goog-api-key", A)]
    public void A_key_is_taken_from_each_header_that_clients_use(string name, string value) => Assert.That(Outcome((name, value)), Is.EqualTo("a"));

    [TestCase("Authorization", A)]
    [TestCase("Authorization", "Basic " + A)]
    [TestCase("Authorization", "Bearer")]
    [TestCase("Authorization", "Bearer ")]
    [TestCase("Authorization", "Bearer\t" + A)]
    [TestCase("Authorization", "Bearer Bearer " + A)]
    [TestCase("Authorization", "Bearer " + A + ", Bearer " + B)]
    [TestCase("x-api-key", "Bearer " + A)]
    [TestCase("x-api-key", "")]
    [TestCase("x-key", A)]
    [TestCase("Cookie", "api-key=" + A)]
    public void Nothing_else_is_a_key(string name, string value) => Assert.That(Outcome((name, value)), Is.EqualTo("401 invalid_api_key"));

    [Test]
    public void The_key_that_is_ours_counts_beside_a_strangers()
    {
        Assert.That(Outcome(("Authorization", "Bearer sk-ant-stranger"), ("x-api-key", A)), Is.EqualTo("a"));
        Assert.That(Outcome(("Authorization", "Bearer " + A), ("x-api-key", "sk-ant-stranger")), Is.EqualTo("a"));
        Assert.That(Outcome(("Authorization", "Bearer " + A), ("x-api-key", A), ("api-key", A)), Is.EqualTo("a"));
    }

    [Test]
    public void A_header_that_is_the_same_object_again_is_known_and_one_that_only_reads_the_same_is_hashed()
    {
        var keys = new KeyRing(Options(), n => n);
        var header = new string("Bearer " + A);
        var stranger = new string("Bearer sk-ant-stranger");
        Assert.That((Outcome(With([("Authorization", header)]), keys), Outcome(With([("Authorization", stranger)]), keys)), Is.EqualTo(("a", "401 invalid_api_key")));
        Assert.That((keys.Recall(header)?.Id, keys.Recall(new string("Bearer " + A))), Is.EqualTo(("a", (Caller?)null)));
        Assert.That((keys.Recall(stranger), new KeyRing(Options(), n => n).Recall(header)), Is.EqualTo(((Caller?)null, (Caller?)null)), "no key of ours, and after a reload");
        Assert.That(Outcome(With([("Authorization", header)]), keys), Is.EqualTo("a"));
        Assert.That(Outcome(With([("Authorization", header), ("x-api-key", B)]), keys), Is.EqualTo("400 ambiguous_credentials"), "what stands beside it still counts");
    }

    [TestCase("Authorization", "Bearer " + A, "x-api-key", B)]
    [TestCase("x-llmproxy-key", A, "x-goog-api-key", B)]
    public void Two_different_keys_of_ours_are_refused(string name, string value, string other, string otherValue) =>
        Assert.That(Outcome((name, value), (other, otherValue)), Is.EqualTo("400 ambiguous_credentials"));

    [Test]
    public void Two_headers_of_one_name_are_not_read_as_one()
    {
        Assert.That(Outcome(("x-api-key", new StringValues([A, B]))), Is.EqualTo("400 ambiguous_credentials"));
        Assert.That(Outcome(("x-api-key", new StringValues(["no", A]))), Is.EqualTo("a"));
        Assert.That(Outcome(("Authorization", new StringValues(["Bearer " + A, "Bearer " + A]))), Is.EqualTo("400 ambiguous_credentials"));
    }

    [Test]
    public void Keys_in_the_query_are_not_taken()
    {
        var http = new DefaultHttpContext();
        http.Request.QueryString = new QueryString("?key=" + A + "&api-key=" + A);
        Assert.That(Outcome(http, new KeyRing(Options(), n => n)), Is.EqualTo("401 invalid_api_key"));
    }

    [Test]
    public void Where_anonymous_callers_are_allowed_a_key_still_counts()
    {
        var options = Options();
        options.AllowAnonymous = true;
        var keys = new KeyRing(options, n => n);
        Assert.That(Outcome(With([]), keys), Is.EqualTo("anonymous"));
        Assert.That(Outcome(With([("x-api-key", B)]), keys), Is.EqualTo("b"));
        Assert.That(Outcome(With([("x-api-key", A), ("api-key", B)]), keys), Is.EqualTo("400 ambiguous_credentials"));
    }

    [Test]
    public void The_apps_user_is_the_caller_where_configured_and_keys_are_not_read()
    {
        var options = Options();
        options.Groups["staff"] = new GroupOptions { Models = ["m"] };
        options.HostIdentity = new HostIdentityOptions { GroupClaim = "team" };
        var keys = new KeyRing(options, n => n);
        Assert.That(Outcome(With([("x-api-key", A)]), keys), Is.EqualTo("401 invalid_api_key"));

        var http = With([("x-api-key", A)]);
        http.User = new ClaimsPrincipal(new ClaimsIdentity([new Claim("sub", "ann\n"), new Claim("team", "staff")]));
        Assert.That(Outcome(http, keys), Is.EqualTo("401 invalid_api_key"), "a user that nobody vouches for");

        http.User = new ClaimsPrincipal(new ClaimsIdentity([new Claim("sub", "ann\n"), new Claim("team", "staff")], "test"));
        Assert.That(Authenticator.Authenticate(http, ClientHeaderScan.Of(http.Request.Headers), keys, TimeProvider.System, null, out _).TryGet(out var caller, out _));
        Assert.That((caller!.Id, caller.Group, caller.Allows("m"), caller.Allows("n")), Is.EqualTo(("ann ", "staff", true, false)));
    }

    private static string Outcome(params (string Name, StringValues Value)[] headers) => Outcome(With(headers), new KeyRing(Options(), n => n));

    private static string Outcome(HttpContext http, KeyRing keys) =>
        Authenticator.Authenticate(http, ClientHeaderScan.Of(http.Request.Headers), keys, TimeProvider.System, null, out _).TryGet(out var caller, out var error) ? caller.Id : $"{error.Status} {error.Code}";

    private static DefaultHttpContext With((string Name, StringValues Value)[] headers)
    {
        var http = new DefaultHttpContext();
        foreach (var (name, value) in headers)
        {
            http.Request.Headers[name] = value;
        }

        return http;
    }

    private static LlmProxyOptions Options()
    {
        var options = new LlmProxyOptions();
        options.Keys["a"] = new KeyOptions { Key = A };
        options.Keys["b"] = new KeyOptions { Hash = ApiKeys.Hash(B) };
        return options;
    }
}

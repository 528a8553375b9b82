// An app as many are: pages of its own, one of them /models, users, response compression, an exception handler. The
// lines behind "with LlmProxy:" come in when the package does, and nothing else changes.
// with LlmProxy: using LlmProxy.Core;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.ResponseCompression;

if (args is ["upstream", ..])
{
    await ScriptedUpstream.RunAsync(args[1]);
    return;
}

var builder = WebApplication.CreateBuilder(args);
builder.Logging.ClearProviders().AddSimpleConsole(console => console.SingleLine = true);
builder.Services.AddAuthentication("Header").AddScheme<AuthenticationSchemeOptions, HeaderUser>("Header", null);
builder.Services.AddAuthorization();
builder.Services.AddResponseCompression(compression =>
    compression.MimeTypes = [.. ResponseCompressionDefaults.MimeTypes, "text/event-stream"]);
// with LlmProxy: builder.AddLlmProxy(builder.Configuration["Proxy"]!);

var app = builder.Build();
app.UseExceptionHandler(failed => failed.Run(context => context.Response.WriteAsync("the app's own error page")));
app.UseResponseCompression();
app.UseAuthentication();
app.UseAuthorization();
// with LlmProxy: if (app.Configuration["Mount"] == "use") app.UseLlmProxy(); else app.MapLlmProxy().RequireAuthorization();

app.MapGet("/", (ILogger<Program> log) =>
{
    log.LogInformation("Home was asked for");
    return "home";
});
app.MapGet("/models", () => Results.Content("<h1>Our models: boats, trains</h1>", "text/html"));
app.MapGet("/v2/chat/completions", () => "not a proxy's");
app.MapGet("/failing", string () => throw new InvalidOperationException("the app's own failure"));
app.MapGet("/private", () => "private").RequireAuthorization();
app.Run();

"""Ruby: statements and constants from Ruby's own parser, features found by `$LOAD_PATH`, constants by Zeitwerk."""

from __future__ import annotations

import json
import subprocess
from functools import partial
from pathlib import Path

from repofill.evaluation.figures import BenchmarkError
from repofill.evaluation.graph_truth import Project, debian

_SCRIPT = r"""
require 'json'
require 'pathname'
require 'zeitwerk'

ROOT = ARGV[0]
$LOAD_PATH.unshift("#{ROOT}/lib", "#{ROOT}/test", "#{ROOT}/spec")

# Constants of an application: what Rails puts on Zeitwerk's roots, and what the application's own initializer adds.
LOADER = Zeitwerk::Loader.new
module Rails
  def self.root = Pathname(ROOT)
  def self.autoloaders = self
  def self.main = LOADER
  def self.each = yield(LOADER)
end
if File.exist?("#{ROOT}/config/application.rb")
  roots = Dir["#{ROOT}/app/*"] - %w[assets javascript views].map { |name| "#{ROOT}/app/#{name}" }
  roots += roots.map { |root| "#{root}/concerns" }
  roots.each { |root| LOADER.push_dir(root) if File.directory?(root) }
  def Object.const_missing(name) = const_set(name, Module.new) # a namespace that the application would have
  initializer = "#{ROOT}/config/initializers/zeitwerk.rb"
  load initializer if File.exist?(initializer)
end
FILES, SPACES = {}, {}
def map(folder, space)
  Dir.each_child(folder) do |name|
    path = File.join(folder, name)
    next if LOADER.send(:ignores?, path) || LOADER.send(:root_dirs).key?(path)
    next unless File.directory?(path) || name.end_with?('.rb')
    full = [*space, LOADER.inflector.camelize(name.delete_suffix('.rb'), path)].join('::')
    SPACES[full] = true
    File.directory?(path) ? map(path, full) : FILES[full] = path
  end
end
LOADER.send(:root_dirs).each_value { |space| SPACES[space.to_s] = true }
LOADER.send(:root_dirs).each { |folder, space| map(folder, space == Object ? nil : space.to_s) }

class Uses
  attr_reader :edges
  def initialize(path)
    @path, @edges, @own = path, [], {}
    tree = RubyVM::AbstractSyntaxTree.parse(File.read(path), keep_script_lines: true)
    define(tree, [])
    walk(tree, [])
  rescue SyntaxError, EncodingError
    nil
  end

  def children(node) = node.children.grep(RubyVM::AbstractSyntaxTree::Node)

  def constant(node)
    case node.type
    when :CONST, :COLON3 then [node.type == :COLON3, node.children]
    when :COLON2
      scope, name = node.children
      return [false, [name]] if scope.nil?
      absolute, names = constant(scope)
      names && [absolute, names + [name]]
    end
  end

  def opened(node, nesting) = [[nesting.first, *constant(node.children[0])[1]].compact.join('::'), *nesting]

  def define(node, nesting)
    nesting = opened(node, nesting) if %i[CLASS MODULE].include?(node.type) && constant(node.children[0])
    @own[nesting.first] = true
    @own[[nesting.first, node.children[0]].compact.join('::')] = true if node.type == :CDECL
    children(node).each { |child| define(child, nesting) }
  end

  def walk(node, nesting)
    case node.type
    when :CLASS, :MODULE
      inner = constant(node.children[0]) ? opened(node, nesting) : nesting
      walk(node.children[1], nesting) if node.type == :CLASS && node.children[1]
      return walk(node.children.last, inner)
    when :CONST, :COLON2, :COLON3
      absolute, names = constant(node)
      return refer(absolute ? [] : nesting, names) if names
    when :FCALL
      feature(*node.children) if node.children[1]
    end
    children(node).each { |child| walk(child, nesting) }
  end

  def refer(nesting, names)
    [*nesting, nil].each do |outer|
      paths = (1..names.size).map { |count| [outer, *names.first(count)].compact.join('::') }
      next unless SPACES[paths.first] || @own[paths.first]
      return if @own[paths.last] && !SPACES[paths.last]
      return @edges << FILES[paths.reverse.find { |path| FILES[path] }]
    end
  end

  def feature(method, arguments)
    given = arguments.children.compact
    source = (method == :autoload ? given[1] : given[0])
    return unless %i[require require_relative load autoload].include?(method) && source
    text = source.source
    words = /"[^"#]*"|'[^']*'|__dir__|__FILE__|File|dirname|join|expand_path|\#{__dir__}/
    return unless text.gsub(words, '').match?(/\A[\s(),."+]*\z/) # nothing but paths is evaluated
    name = eval(text, TOPLEVEL_BINDING, @path)
    name = File.expand_path(name, File.dirname(@path)) if method == :require_relative || name.start_with?('./', '../')
    found = method == :load && File.file?(name) ? name : ($LOAD_PATH.resolve_feature_path(name) || [])[1]
    @edges << found
  rescue StandardError, SyntaxError
    nil
  end
end

edges = Dir["#{ROOT}/**/*.{rb,rake}"].flat_map { |path| Uses.new(path).edges.compact.map { |target| [path, target] } }
puts JSON.dump(edges)
"""


def edges(root: Path) -> set[tuple[str, str]]:
    """Every file with those that it requires, loads and autoloads, and those that Zeitwerk loads for its constants."""
    root = root.resolve()
    ruby = debian.program("ruby", "ruby and ruby-zeitwerk")
    done = subprocess.run([ruby, "-W0", "-", str(root)], input=_SCRIPT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"ruby failed: {done.stderr.strip()[-300:]}")
    return {
        (Path(path).relative_to(root).as_posix(), Path(target).relative_to(root).as_posix())
        for path, target in json.loads(done.stdout)
        if target.startswith(f"{root}/")
    }


PROJECTS = (
    Project(name="ruby: puma", fetch=partial(debian.source, "puma", "5.6.5-3+deb12u1"), edges=edges),
    Project(name="ruby: redmine", fetch=partial(debian.source, "redmine", "5.0.4-5+deb12u1"), edges=edges),
)

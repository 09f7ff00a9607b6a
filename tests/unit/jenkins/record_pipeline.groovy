// Copyright (c) 2026 polycloud.ollama contributors
// GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Executes a Jenkinsfile outside Jenkins and prints, as JSON, what it called: a tree of {call, args, children}.
// Usage: record_pipeline.groovy JENKINSFILE PARAMETERS_AS_JSON
// It knows no section names: whether `stagez` is one is for the tests to say. It is our stand-in, not Jenkins.

import groovy.json.JsonOutput
import groovy.json.JsonSlurper
import org.codehaus.groovy.control.CompilerConfiguration

class Recorder {
    Script jenkinsfile
    Map params
    Map env = [BUILD_URL: 'https://jenkins.example/job/1/', BUILD_NUMBER: '1']
    List<Map> open = [[call: 'root', args: [], children: []]]

    Object methodMissing(String name, Object arguments) {
        List args = arguments as List
        Closure body = args && args.last() instanceof Closure ? args.removeLast() as Closure : null
        Map node = [call: name, args: args.collect { plain(it) }, children: []]
        open.last().children << node
        if (body != null) {
            open << node
            // A function that the Jenkinsfile defines is called; anything else is Jenkins' and only recorded.
            Object result = jenkinsfile.metaClass.respondsTo(jenkinsfile, name, Closure) ? jenkinsfile."$name"(body) : run(body)
            open.removeLast()
            if (name == 'expression') { node.value = result as boolean }
        }
        return name == 'readFile' ? "content of ${args[0]}\n".toString() : node
    }

    // Bare words: `agent none`, `checkout scm`, a variable that a step binds.
    Object propertyMissing(String name) { return name }

    void propertyMissing(String name, Object value) {
        open.last().children << [call: 'set', args: [name, plain(value)], children: []]
    }

    Object run(Closure body) {
        Closure bound = body.rehydrate(this, body.owner, body.thisObject)
        bound.resolveStrategy = Closure.DELEGATE_FIRST
        return bound.call()
    }

    // A double-quoted string with values in it is marked, since Groovy, not the shell, fills them in.
    Object plain(Object value) {
        if (value instanceof GString) { return [interpolated: value.toString()] }
        if (value instanceof Map) {
            // A call used as argument was recorded where it stands; here it is only named.
            if (value.containsKey('call') && value.containsKey('children')) {
                open.last().children.removeAll { it.is(value) }
                return [call: value.call, args: value.args, children: value.children]
            }
            return value.collectEntries { key, item -> [(key): plain(item)] }
        }
        if (value instanceof Collection) { return value.collect { plain(it) } }
        return value
    }
}

abstract class Pipeline extends Script {
    Object methodMissing(String name, Object arguments) { binding.getVariable('recorder').methodMissing(name, arguments) }

    Object propertyMissing(String name) { return name }
}

def recorder = new Recorder(params: new JsonSlurper().parseText(args[1]) as Map)
def settings = new CompilerConfiguration(scriptBaseClass: Pipeline.name)
def binding = new Binding([recorder: recorder, params: recorder.params, env: recorder.env])
recorder.jenkinsfile = new GroovyShell(this.class.classLoader, binding, settings).parse(new File(args[0]))
recorder.jenkinsfile.run()
println JsonOutput.toJson(recorder.open[0].children)
